import DevCluster
import KubeMachinery
import Primitives
import Testing

/// Debian's docker-registry on a port of the loopback, with one user who has to name themselves.
struct Registry: Sendable {
    let port: UInt16
    private let process: ChildProcess

    static let user = "edge"
    static let password = "s3same"

    static var isPossible: Bool { ContainerdBed.isPossible && ["docker-registry", "htpasswd"].allSatisfy { ChildProcess.find($0) != nil } }

    var host: String { "127.0.0.1:\(port)" }

    /// Starts it below a directory, runs `body` and stops it.
    static func run(below directory: String, _ body: (Registry) async throws -> Void) async throws {
        let folder = directory + "/registry"
        try HostFile.makeDirectory(folder)
        let users = try ChildProcess("htpasswd", ["-Bbn", user, password], logFile: folder + "/users")
        try #require(try await users.wait(for: .seconds(20)) == 0)
        let port = PortOwner.anyFreePort()
        let configuration = """
            version: 0.1
            storage:
              filesystem:
                rootdirectory: \(folder)/data
            http:
              addr: 127.0.0.1:\(port)
            auth:
              htpasswd:
                realm: edge
                path: \(folder)/users
            """
        try HostFile.write(Array(configuration.utf8), to: folder + "/config.yml")
        let process = try ChildProcess("docker-registry", ["serve", folder + "/config.yml"], logFile: folder + "/log")
        let result: Result<Void, any Error>
        do {
            let clock = SystemClock()
            let deadline = clock.now().uptime + .seconds(20)
            while PortOwner.isFree(port) {
                try #require(clock.now().uptime < deadline, "the registry listens")
                try await clock.wait(until: clock.now().uptime + .milliseconds(20))
            }
            result = .success(try await body(Registry(port: port, process: process)))
        } catch { result = .failure(error) }
        await process.stop()
        try result.get()
    }

    /// Puts an image that containerd has into the registry; containerd does not have it under that name afterwards. Returns the name.
    func push(_ image: String, as name: String, from bed: ContainerdBed) async throws -> String {
        let reference = "\(host)/\(name)"
        for arguments in [
            ["tag", image, reference], ["push", "--plain-http", "--user", "\(Self.user):\(Self.password)", reference], ["rm", "--sync", reference],
        ] {
            let log = bed.directory + "/push.log"
            let process = try ChildProcess(
                "ctr", ["--address", bed.directory + "/containerd.sock", "--namespace", "k8s.io", "images"] + arguments, logFile: log)
            let status = try await process.wait(for: .seconds(60))
            let text = status == 0 ? "" : String(decoding: try HostFile.read(log), as: UTF8.self)
            try #require(status == 0, "ctr images \(arguments.joined(separator: " ")): \(text)")
        }
        try await bed.eventually("the image is gone") { try await bed.runtime.image(reference) == nil }
        return reference
    }

    /// The secret that opens the registry.
    func pullSecret(_ name: String, password: String = password) -> KubeObject {
        let auths: JSONValue = ["auths": [host: ["username": .string(Self.user), "password": .string(password)]]]
        var secret = ConformanceBed.object("Secret", name, [".dockerconfigjson": .string(Base64.encode(Array(auths.text().utf8)))])
        secret.json["type"] = "kubernetes.io/dockerconfigjson"
        return secret
    }
}
