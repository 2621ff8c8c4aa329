package import PodCore
package import Primitives

/// The verbs of CRI v1 that this house uses, in the values of `PodCore` (`spec/05 §6–7`). Every verb throws `RuntimeFailure`.
///
/// Named apart from its module: a type never carries its module's name.
package protocol RuntimeInterface: Sendable {
    /// Runtime name and version, as in `containerd://1.6.20`.
    func version() async throws -> (name: String, version: String)
    func status() async throws -> [RuntimeCondition]

    func runSandbox(_ plan: SandboxPlan) async throws -> String
    func stopSandbox(_ id: String) async throws
    func removeSandbox(_ id: String) async throws
    /// With addresses and namespaces, which the list does not have.
    func sandbox(_ id: String) async throws -> SandboxState
    /// All of them, or those that carry one pod's UID label.
    func sandboxes(ofPod uid: String?) async throws -> [SandboxState]

    func createContainer(_ plan: ContainerPlan, inSandbox id: String, _ sandbox: SandboxPlan) async throws -> String
    func startContainer(_ id: String) async throws
    /// Returns when the container has stopped; it is killed after `grace`.
    func stopContainer(_ id: String, grace: Duration) async throws
    func removeContainer(_ id: String) async throws
    /// With exit code, reason and times, which the list does not have.
    func container(_ id: String) async throws -> ContainerState
    func containers(ofPod uid: String?) async throws -> [ContainerState]
    func execute(_ command: [String], inContainer id: String, timeout: Duration?) async throws -> ExecutionResult
    func reopenLog(_ id: String) async throws
    /// What the running containers use: all of them, or those that carry one pod's UID label.
    func containerStatistics(ofPod uid: String?) async throws -> [ContainerStatistics]

    func images() async throws -> [ImageState]
    /// nil where the image is not there.
    func image(_ reference: String) async throws -> ImageState?
    /// Returns the reference to create containers with.
    func pullImage(_ reference: String, credentials: RegistryCredentials?, sandbox: SandboxPlan?) async throws -> String
    func removeImage(_ reference: String) async throws
    /// The image that sandboxes are run from, as the runtime is configured; nil where it does not tell.
    func sandboxImage() async throws -> String?
    /// What the stored images take, by file system.
    func imageFilesystems() async throws -> [ImageFilesystem]

    /// Tells the runtime the node's range of pod addresses.
    func updatePodRange(_ range: String) async throws
    /// Where the bytes of a command run in a container can be had: an HTTP address of the runtime's streaming server.
    func executionAddress(_ command: [String], inContainer id: String, streams: StreamSelection) async throws -> String
    func attachAddress(ofContainer id: String, streams: StreamSelection) async throws -> String
    func portForwardAddress(ofSandbox id: String, ports: [Int32]) async throws -> String
}

/// Which streams of a process a caller wants.
package struct StreamSelection: Sendable, Hashable {
    package var input: Bool
    package var output: Bool
    package var errors: Bool
    package var isTerminal: Bool

    package init(input: Bool, output: Bool, errors: Bool, isTerminal: Bool) {
        self.input = input
        self.output = output
        self.errors = errors
        self.isTerminal = isTerminal
    }
}

/// Where images are stored, and what they take there.
package struct ImageFilesystem: Sendable, Hashable {
    package var mountPoint: String
    package var usedBytes: UInt64
    package var usedInodes: UInt64

    package init(mountPoint: String, usedBytes: UInt64, usedInodes: UInt64) {
        self.mountPoint = mountPoint
        self.usedBytes = usedBytes
        self.usedInodes = usedInodes
    }
}

/// What a command in a container wrote and how it ended.
package struct ExecutionResult: Sendable, Hashable {
    package var output: [UInt8]
    package var errors: [UInt8]
    package var exitCode: Int32

    package init(output: [UInt8], errors: [UInt8], exitCode: Int32) {
        self.output = output
        self.errors = errors
        self.exitCode = exitCode
    }
}

/// A user of an image registry. The runtime is not told which: it would compare the name as a URL, and most names are none.
package struct RegistryCredentials: Sendable {
    package var user: String
    package var password: Redacted<String>

    package init(user: String, password: Redacted<String>) {
        self.user = user
        self.password = password
    }
}

/// Why the runtime did not do it.
package struct RuntimeFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable { case notFound, timedOut, unavailable, exhausted, failed }

    package var code: Code
    /// The runtime's own words.
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { code == .timedOut || code == .unavailable }
}
