import ControlPlane
import Foundation
import KubeClient
import Logging

/// An embedded control plane on a free port with a folder that goes with it.
enum ServedCluster {
    /// Runs `body` beside a control plane that is ready, and ends it.
    static func run<Value: Sendable>(
        controllers: Bool = true, _ body: @escaping @Sendable (EmbeddedControlPlane.Access) async throws -> Value
    ) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("control-plane-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try await run(in: folder, controllers: controllers, body)
    }

    static func run<Value: Sendable>(
        in folder: String, controllers: Bool = true, _ body: @escaping @Sendable (EmbeddedControlPlane.Access) async throws -> Value
    ) async throws -> Value {
        var configuration = EmbeddedControlPlane.Configuration(dataDirectory: folder)
        configuration.port = 0
        configuration.runsControllers = controllers
        let (ready, signal) = AsyncThrowingStream.makeStream(of: EmbeddedControlPlane.Access.self)
        let plane = EmbeddedControlPlane(configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                do {
                    try await plane.run { signal.yield($0) }
                    signal.finish()
                } catch is CancellationError {
                } catch {
                    signal.finish(throwing: error)
                }
                return nil
            }
            group.addTask {
                for try await access in ready { return try await body(access) }
                return nil
            }
            defer { group.cancelAll() }
            while let ended = try await group.next() { if let value = ended { return value } }
            throw CancellationError()
        }
    }

    static func client(_ access: EmbeddedControlPlane.Access) throws -> KubeClient {
        try KubeClient(
            try ClusterAccess.kubeconfig(at: access.kubeconfigPath), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }
}
