import KubeMachinery
import KubeResources
import KubeServer
import Logging
import Primitives
import Synchronization

/// A clock that stands still until it is set; whoever waits goes on once the time is reached.
final class StandingClock: MomentSource {
    private struct State {
        var moment = Moment(wall: Timestamp(seconds: 1_700_000_000), uptime: .seconds(100))
        var waiting: [Int: (deadline: Duration, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var next = 0
        /// Nobody has to wait: each wait moves the clock instead.
        var skipsWaits = false
    }

    private let state = Mutex(State())

    func now() -> Moment { state.withLock { $0.moment } }

    func skipWaits() { state.withLock { $0.skipsWaits = true } }

    func advance(_ duration: Duration) {
        let due = state.withLock { state in
            state.moment.uptime += duration
            state.moment.wall = state.moment.wall + duration
            let due = state.waiting.filter { $0.value.deadline <= state.moment.uptime }
            for key in due.keys { state.waiting[key] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    var waiters: Int { state.withLock { $0.waiting.count } }

    func wait(until deadline: Duration) async throws {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                state.withLock { state in
                    if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
                    if state.skipsWaits {
                        state.moment.wall = state.moment.wall + (deadline - state.moment.uptime)
                        state.moment.uptime = deadline
                        return continuation.resume()
                    }
                    if deadline <= state.moment.uptime { return continuation.resume() }
                    state.waiting[ticket] = (deadline, continuation)
                }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: ticket) }?.continuation.resume(throwing: CancellationError())
        }
    }
}

/// A server over a store in memory, with one namespace and its default service account.
struct ServerFixture {
    let storage = MemoryStorage()
    let clock = StandingClock()
    let server: APIServer

    /// `withAccess` turns the rules of access on.
    init(withAccess: Bool = false) async throws {
        let roles = StoredRoles(storage: storage)
        let tokens = ServiceAccountTokens(signing: PlainSigning())
        server = APIServer(
            storage: storage, catalogue: ServedCatalogue(),
            authenticator: Authenticator(storage: storage, certificates: { _, _ in nil }, tokens: tokens, clock: clock),
            accessPolicy: withAccess ? roles : nil,
            admission: Admission(storage: storage, clock: clock, addresses: ServiceAddresses()), tokens: tokens, clock: clock,
            logger: Logger(label: "test"))
        for name in ["default", "other"] {
            try await succeed("POST", "/api/v1/namespaces", ["metadata": ["name": .string(name)]])
            try await succeed("POST", "/api/v1/namespaces/\(name)/serviceaccounts", ["metadata": ["name": "default"]])
        }
    }

    func send(
        _ method: String, _ target: String, _ body: JSONValue? = nil, type: String = "application/json", accept: String = "application/json",
        user: UserIdentity = .administrator
    ) async -> APIResponse {
        await server.answer(APIRequest(method, target, user: user, body: body, contentType: type, accept: accept))
    }

    /// Sends and throws the `Status` of a failure.
    @discardableResult
    func succeed(
        _ method: String, _ target: String, _ body: JSONValue? = nil, type: String = "application/json", accept: String = "application/json"
    ) async throws -> JSONValue {
        let answer = await send(method, target, body, type: type, accept: accept)
        if answer.status >= 300 { throw KubeStatus(json: answer.json) ?? KubeStatus.internalError("status \(answer.status)") }
        return answer.json
    }

    /// Sends and returns the `Status` of the failure; nil where there is none.
    func fail(
        _ method: String, _ target: String, _ body: JSONValue? = nil, type: String = "application/json", user: UserIdentity = .administrator
    ) async -> KubeStatus? {
        let answer = await send(method, target, body, type: type, user: user)
        return answer.status >= 300 ? KubeStatus(json: answer.json) : nil
    }

    static func configMap(_ name: String, _ data: JSONValue = ["a": "1"], labels: JSONValue = [:]) -> JSONValue {
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name), "labels": labels], "data": data]
    }

    static func pod(_ name: String, node: String? = nil) -> JSONValue {
        var pod: JSONValue = [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name)],
            "spec": ["containers": [["name": "main", "image": "busybox"]]],
        ]
        if let node { pod["spec"]["nodeName"] = .string(node) }
        return pod
    }
}

/// Tokens that are their claims, for tests of what stands above signatures.
struct PlainSigning: TokenSigning {
    func sign(_ claims: JSONValue) -> String { "plain." + Base64.encodeURL(claims.encoded()) }

    func verify(_ token: String, now: Timestamp) -> JSONValue? {
        guard token.hasPrefix("plain."), let bytes = Base64.decodeURL(token.dropFirst(6)), let claims = try? JSONValue(parsing: bytes),
            let expiry = claims["exp"].int, now.seconds < expiry
        else { return nil }
        return claims
    }
}

/// Reads the lines of a watch one after the other, while it runs.
final class WatchReader: Sendable {
    private let stream: AsyncStream<JSONValue>
    private let continuation: AsyncStream<JSONValue>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: JSONValue.self) }

    /// Runs the watch beside `body`, which takes its lines from the iterator it is given; ends both.
    static func run(
        _ answer: APIResponse, _ body: @Sendable (inout AsyncStream<JSONValue>.Iterator) async throws -> Void
    ) async throws {
        guard case .watch(let session) = answer.body else { throw KubeStatus.internalError("no watch: \(answer.json)") }
        let reader = WatchReader()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await session.run { line in reader.continuation.yield(try JSONValue(parsing: line)) }
                reader.continuation.finish()
            }
            var iterator = reader.stream.makeAsyncIterator()
            try await body(&iterator)
            group.cancelAll()
        }
    }
}
