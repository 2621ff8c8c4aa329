import ControlPlane
import Foundation
import Testing

/// The virtual environment that `make test` makes for the official Python client.
enum PythonEnvironment {
    static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/python/client_test.py"
    static let interpreter =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .path + "/.build/python/bin/python"
    static let exists = FileManager.default.isExecutableFile(atPath: interpreter)
}

/// The official Python client; the assertions are in `python/client_test.py`.
@Suite("Python client", .enabled(if: PythonEnvironment.exists, "no .build/python: `make test` makes it"))
struct PythonClientTests {
    @Test("typed client, watch and dynamic client find what they expect")
    func client() async throws {
        try await ServedCluster.run { access in
            let result = try await ChildCommand.run(
                "exec '\(PythonEnvironment.interpreter)' '\(PythonEnvironment.script)'", environment: ["KUBECONFIG": access.kubeconfigPath])
            #expect(result.status == 0, "\(result.output)\(result.errors)")
            #expect(result.output.contains("ok    a namespace goes with what is in it"))
        }
    }
}
