import ContainerRuntime
import DevCluster
import EdgeTesting
import Glibc
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

/// A containerd of the test's own with the busybox image in it, and a client to it; everything is gone afterwards.
struct ContainerdBed: Sendable {
    let directory: String
    let containerd: ContainerdInstance
    let runtime: CRIRuntime

    static var isPossible: Bool {
        getuid() == 0 && ["containerd", "runc", "ctr", "/bin/busybox"].allSatisfy { ChildProcess.find($0) != nil }
            && ChildProcess.find("/usr/lib/cni/bridge") != nil
    }

    static func withBed(_ body: @Sendable @escaping (ContainerdBed) async throws -> Void) async throws {
        try await MachineTurns.take { try await withOwnBed(body) }
    }

    private static func withOwnBed(_ body: @Sendable @escaping (ContainerdBed) async throws -> Void) async throws {
        let number = Int.random(in: 1...254)
        let directory = "/tmp/kee-\(UniqueID.next().prefix(8))"
        try HostFile.makeDirectory(directory)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let containerd = ContainerdInstance(
            .init(directory: directory, bridge: "kt\(directory.suffix(8))", podRange: "10.177.\(number)"), logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let runtime = try CRIRuntime(endpoint: containerd.endpoint, group: group, logger: logger)
        let bed = ContainerdBed(directory: directory, containerd: containerd, runtime: runtime)
        let result: Result<Void, any Error>
        do {
            try await containerd.start()
            try await containerd.importImage(BusyboxImage.archive(busybox: HostFile.read("/bin/busybox")))
            result = await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try? await runtime.run() }
                let result: Result<Void, any Error>
                do { result = .success(try await body(bed)) } catch { result = .failure(error) }
                try? await containerd.start()
                // What was just being made when the kubelet ended refuses to go at first.
                for _ in 0..<20 {
                    if (try? await containerd.removePods(runtime)) != nil { break }
                    let clock = SystemClock()
                    try? await clock.wait(until: clock.now().uptime + .milliseconds(200))
                }
                tasks.cancelAll()
                return result
            }
        } catch { result = .failure(error) }
        await containerd.stop()
        await containerd.removeTraces()
        try await group.shutdownGracefully()
        try result.get()
    }

    /// The image, once the runtime has noticed it.
    func busybox() async throws -> ImageState? {
        try await eventually("the image is known") { try await runtime.image(BusyboxImage.reference) != nil }
        return try await runtime.image(BusyboxImage.reference)
    }

    /// Asks again every 20 ms for at most a minute until it is so.
    func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
        let clock = SystemClock()
        let deadline = clock.now().uptime + .seconds(60)
        while try await !condition() {
            try #require(clock.now().uptime < deadline, what)
            try await clock.wait(until: clock.now().uptime + .milliseconds(20))
        }
    }
}
