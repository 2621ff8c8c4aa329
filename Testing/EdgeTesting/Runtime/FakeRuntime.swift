package import ContainerRuntime
package import PodCore
package import Primitives

/// A container runtime in memory: containers run until they are ended, pulls succeed or fail as told, and every call is written down.
package actor FakeRuntime: RuntimeInterface {
    package struct Call: Sendable, Hashable {
        package var method: String
        /// The name, ID or reference it was about.
        package var subject: String
    }

    /// The calls that change something, in order.
    package private(set) var calls: [Call] = []
    /// The containers whose logs were reopened; the fake writes none, so each is asked for again and again.
    package private(set) var reopenedLogs: [String] = []
    package private(set) var sandboxPlans: [String: SandboxPlan] = [:]
    package private(set) var containerPlans: [String: ContainerPlan] = [:]
    private var sandboxStates: [String: SandboxState] = [:]
    private var containerStates: [String: ContainerState] = [:]
    private var imageStates: [String: ImageState] = [:]
    private var pullFailures: [String: String] = [:]
    private var failures: [String: RuntimeFailure] = [:]
    private var hanging: Set<String> = []
    private var lostAnswers: Set<String> = []
    private var hangs: [AsyncStream<Void>.Continuation] = []
    private var exits: [String: Int32] = [:]
    private var statistics: [String: ContainerStatistics] = [:]
    private var streamServer = "http://127.0.0.1:1"
    private var executionOutput: [UInt8] = []
    private var executionErrors: [UInt8] = []
    private var conditions = [
        RuntimeCondition(type: "RuntimeReady", isTrue: true, reason: "", message: ""),
        RuntimeCondition(type: "NetworkReady", isTrue: true, reason: "", message: ""),
    ]
    private var sequence = 0
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private let clock: any MomentSource

    package init(clock: any MomentSource = SystemClock()) { self.clock = clock }

    // MARK: - What a test tells it

    /// An image that is there already.
    package func addImage(_ reference: String, user: Int64? = nil) {
        imageStates[reference] = ImageState(
            id: "sha256:\(reference)", tags: [reference], digests: [], size: 1, user: user, userName: "", isPinned: false)
    }

    /// Pulls of the image fail with these words; nil: they succeed.
    package func failPull(_ reference: String, _ message: String?) { pullFailures[reference] = message }

    /// Calls of a method (`runSandbox`, `createContainer`, …) fail; nil: they succeed.
    package func fail(_ method: String, _ failure: RuntimeFailure?) { failures[method] = failure }

    /// Calls of a method about `subject` do not return until they are cancelled or `release` is called.
    package func hang(_ method: String, _ subject: String) { hanging.insert("\(method) \(subject)") }
    /// Calls of a method about `subject` are carried out, and their answer never arrives.
    package func loseAnswer(_ method: String, _ subject: String) { lostAnswers.insert("\(method) \(subject)") }
    package func release(_ method: String, _ subject: String) {
        hanging.remove("\(method) \(subject)")
        lostAnswers.remove("\(method) \(subject)")
        for hang in hangs { hang.finish() }
        hangs = []
    }

    /// Where the streams of exec, attach and port-forward are had, `http://127.0.0.1:41234`.
    package func serveStreams(at address: String) { streamServer = address }

    /// What every command writes.
    package func writeOnExecution(_ output: String, errors: String = "") {
        executionOutput = Array(output.utf8)
        executionErrors = Array(errors.utf8)
    }

    /// Containers of that name end as soon as they are started.
    package func exitAtOnce(_ name: String, code: Int32?) { exits[name] = code }

    /// What containers of that name use.
    package func use(_ name: String, _ usage: ContainerStatistics) { statistics[name] = usage }

    /// Ends the running containers of that name.
    package func end(_ name: String, code: Int32) {
        for (id, state) in containerStates where state.name == name && state.phase == .running { finish(id, code: code, reason: "") }
        changed()
    }

    /// Everything stops and every sandbox is lost, as in a reboot of the machine.
    package func reboot() {
        for id in sandboxStates.keys { sandboxStates[id]?.isReady = false }
        for (id, state) in containerStates where state.phase == .running { finish(id, code: 255, reason: "Unknown") }
        changed()
    }

    package func setCondition(_ type: String, _ isTrue: Bool, reason: String = "", message: String = "") {
        conditions = conditions.filter { $0.type != type } + [RuntimeCondition(type: type, isTrue: isTrue, reason: reason, message: message)]
    }

    // MARK: - What a test asks it

    package var runningContainers: [String] { containerStates.values.filter { $0.phase == .running }.map(\.name).sorted() }
    package var containerCount: Int { containerStates.count }
    package var sandboxCount: Int { sandboxStates.count }
    package func calls(of method: String) -> [String] { calls.filter { $0.method == method }.map(\.subject) }
    package func plan(ofContainer name: String) -> ContainerPlan? {
        containerStates.values.filter { $0.name == name }.max { $0.attempt < $1.attempt }.flatMap { containerPlans[$0.id] }
    }

    /// Returns at the next change.
    package func nextChange() async { await withCheckedContinuation { waiters.append($0) } }

    private func changed() {
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    // MARK: - Machinery

    private func record(_ method: String, _ subject: String) async throws {
        calls.append(Call(method: method, subject: subject))
        changed()
        while hanging.contains("\(method) \(subject)") { try await pause() }
        try Task.checkCancellation()
        if let failure = failures[method] { throw failure }
    }

    private func answered(_ method: String, _ subject: String) async throws {
        changed()
        while lostAnswers.contains("\(method) \(subject)") { try await pause() }
    }

    private func pause() async throws {
        let (released, hang) = AsyncStream.makeStream(of: Void.self)
        hangs.append(hang)
        for await _ in released {}
        try Task.checkCancellation()
    }

    private func nextID(_ prefix: String) -> String {
        sequence += 1
        return "\(prefix)\(sequence)"
    }

    private func finish(_ id: String, code: Int32, reason: String) {
        containerStates[id]?.phase = .exited
        containerStates[id]?.exitCode = code
        containerStates[id]?.finishedAt = clock.now().wall
        containerStates[id]?.reason = reason.isEmpty ? (code == 0 ? "Completed" : "Error") : reason
    }

    private func missing(_ what: String) -> RuntimeFailure { RuntimeFailure(code: .notFound, message: "\(what) not found") }
}

// MARK: - The runtime

extension FakeRuntime {
    package func version() async throws -> (name: String, version: String) { ("containerd", "1.6.20") }
    package func status() async throws -> [RuntimeCondition] {
        if let failure = failures["status"] { throw failure }
        return conditions
    }
    package func updatePodRange(_ range: String) async throws { try await record("updatePodRange", range) }

    package func runSandbox(_ plan: SandboxPlan) async throws -> String {
        try await record("runSandbox", plan.podName)
        let id = nextID("sandbox")
        var state = SandboxState(
            id: id, podName: plan.podName, podNamespace: plan.podNamespace, podUID: plan.podUID, attempt: plan.attempt, isReady: true,
            createdAt: clock.now().wall, labels: plan.labels, annotations: plan.annotations)
        state.usesHostNetwork = plan.namespaces.network == .node
        if !state.usesHostNetwork { state.addresses = ["10.88.0.\(sequence % 250 + 2)"] }
        sandboxStates[id] = state
        sandboxPlans[id] = plan
        try await answered("runSandbox", plan.podName)
        return id
    }

    package func stopSandbox(_ id: String) async throws {
        try await record("stopSandbox", id)
        for (container, state) in containerStates where state.sandboxID == id && state.phase == .running {
            finish(container, code: 137, reason: "")
        }
        sandboxStates[id]?.isReady = false
        try await answered("stopSandbox", id)
    }

    package func removeSandbox(_ id: String) async throws {
        try await record("removeSandbox", id)
        sandboxStates[id] = nil
        for (container, state) in containerStates where state.sandboxID == id { containerStates[container] = nil }
        changed()
    }

    package func sandbox(_ id: String) async throws -> SandboxState {
        guard let state = sandboxStates[id] else { throw missing("sandbox \(id)") }
        return state
    }

    package func sandboxes(ofPod uid: String?) async throws -> [SandboxState] {
        if let failure = failures["sandboxes"] { throw failure }
        while uid == nil, hanging.contains("sandboxes of all") { try await pause() }
        return sandboxStates.values.filter { uid == nil || $0.podUID == uid }.map { state in
            var listed = state
            listed.addresses = []
            return listed
        }
    }

    package func createContainer(_ plan: ContainerPlan, inSandbox id: String, _ sandbox: SandboxPlan) async throws -> String {
        try await record("createContainer", plan.name)
        guard sandboxStates[id] != nil else { throw missing("sandbox \(id)") }
        let container = nextID("container")
        var state = ContainerState(
            id: container, sandboxID: id, name: plan.name, attempt: plan.attempt, phase: .created, createdAt: clock.now().wall)
        state.labels = plan.labels
        state.annotations = plan.annotations
        state.image = plan.userImage
        state.imageReference = plan.image
        state.logPath = sandbox.logDirectory + "/" + plan.logPath
        state.mounts = plan.mounts
        containerStates[container] = state
        containerPlans[container] = plan
        try await answered("createContainer", plan.name)
        return container
    }

    package func startContainer(_ id: String) async throws {
        guard let state = containerStates[id] else { throw missing("container \(id)") }
        try await record("startContainer", state.name)
        containerStates[id]?.phase = .running
        containerStates[id]?.startedAt = clock.now().wall
        if let code = exits[state.name] { finish(id, code: code, reason: "") }
        try await answered("startContainer", state.name)
    }

    package func stopContainer(_ id: String, grace: Duration) async throws {
        guard let state = containerStates[id] else { return }
        try await record("stopContainer", state.name)
        if containerStates[id]?.phase == .running { finish(id, code: grace > .zero ? 0 : 137, reason: "") }
        try await answered("stopContainer", state.name)
    }

    package func removeContainer(_ id: String) async throws {
        guard let state = containerStates[id] else { return }
        try await record("removeContainer", state.name)
        containerStates[id] = nil
        changed()
    }

    package func container(_ id: String) async throws -> ContainerState {
        guard var state = containerStates[id] else { throw missing("container \(id)") }
        state.sandboxID = ""
        return state
    }

    package func containers(ofPod uid: String?) async throws -> [ContainerState] {
        if let failure = failures["containers"] { throw failure }
        return containerStates.values.filter { uid == nil || sandboxStates[$0.sandboxID]?.podUID == uid }
    }

    package func execute(_ command: [String], inContainer id: String, timeout: Duration?) async throws -> ExecutionResult {
        try await record("execute", command.joined(separator: " "))
        return ExecutionResult(output: executionOutput, errors: executionErrors, exitCode: exits["exec " + command.joined(separator: " ")] ?? 0)
    }

    package func reopenLog(_ id: String) async throws {
        reopenedLogs.append(id)
        if let failure = failures["reopenLog"] { throw failure }
    }

    package func containerStatistics(ofPod uid: String?) async throws -> [ContainerStatistics] {
        if let failure = failures["containerStatistics"] { throw failure }
        return containerStates.values.filter { $0.phase == .running && (uid == nil || sandboxStates[$0.sandboxID]?.podUID == uid) }
            .compactMap { state in
                guard var stats = statistics[state.name] else { return ContainerStatistics(id: state.id, name: state.name, labels: state.labels) }
                stats.id = state.id
                stats.labels = state.labels
                return stats
            }
    }
    package func images() async throws -> [ImageState] { Array(imageStates.values) }
    package func image(_ reference: String) async throws -> ImageState? { imageStates[reference] }

    package func pullImage(_ reference: String, credentials: RegistryCredentials?, sandbox: SandboxPlan?) async throws -> String {
        try await record("pullImage", reference)
        if let message = pullFailures[reference] { throw RuntimeFailure(code: .failed, message: message) }
        addImage(reference)
        try await answered("pullImage", reference)
        return "sha256:\(reference)"
    }

    package func removeImage(_ reference: String) async throws {
        try await record("removeImage", reference)
        imageStates[reference] = nil
    }

    package func sandboxImage() async throws -> String? { nil }
    package func imageFilesystems() async throws -> [ImageFilesystem] {
        [ImageFilesystem(mountPoint: "/images", usedBytes: 0, usedInodes: 0)]
    }
    package func executionAddress(_ command: [String], inContainer id: String, streams: StreamSelection) async throws -> String {
        try await record("executionAddress", "\(id) \(command.joined(separator: ",")) \(streams.letters)")
        return "\(streamServer)/exec/\(id)"
    }
    package func attachAddress(ofContainer id: String, streams: StreamSelection) async throws -> String {
        try await record("attachAddress", "\(id) \(streams.letters)")
        return "\(streamServer)/attach/\(id)"
    }
    package func portForwardAddress(ofSandbox id: String, ports: [Int32]) async throws -> String {
        try await record("portForwardAddress", "\(id) \(ports.map(String.init).joined(separator: ","))")
        return "\(streamServer)/portforward/\(id)"
    }
}

extension StreamSelection {
    /// `ioet` for input, output, errors, terminal.
    fileprivate var letters: String { (input ? "i" : "") + (output ? "o" : "") + (errors ? "e" : "") + (isTerminal ? "t" : "") }
}
