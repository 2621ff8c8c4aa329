import Glibc
import Logging
import Primitives
import Synchronization
import Testing
import Trust

@testable import EdgeHub

/// A clock on which every wait takes no time, up to a limit; later ones last until they are cancelled.
private final class JumpingClock: MomentSource {
    private let state: Mutex<(moment: Moment, limit: Duration)>

    init(limit: Duration) {
        state = Mutex((Moment(wall: Timestamp(seconds: 1_717_000_000), uptime: .seconds(1000)), .seconds(1000) + limit))
    }

    func now() -> Moment { state.withLock(\.moment) }

    func setWall(_ wall: Timestamp) { state.withLock { $0.moment.wall = wall } }

    func wait(until deadline: Duration) async throws {
        try Task.checkCancellation()
        let isReached = state.withLock { state in
            guard deadline <= state.limit else { return false }
            if deadline > state.moment.uptime {
                state.moment.wall = state.moment.wall + (deadline - state.moment.uptime)
                state.moment.uptime = deadline
            }
            return true
        }
        if isReached { return await Task.yield() }
        let (nothing, source) = AsyncStream.makeStream(of: Never.self)
        for await _ in nothing {}
        withExtendedLifetime(source) {}
        try Task.checkCancellation()
    }
}

/// A certificate service without a network. What it is told to say first comes before its proper answers.
private final class FakeService: Sendable {
    struct Seen: Sendable {
        let path: String
        let token: String?
        let hasIdentity: Bool
        let isVerified: Bool
    }

    struct Unreachable: Error {}

    let authority: CertificateAuthority
    private let clock: any MomentSource
    private let lifetime: Duration
    private let state = Mutex<(seen: [Seen], first: [CertificateReply])>(([], []))
    /// Until then nobody reaches it.
    private let offlineUntil = Mutex<Timestamp?>(nil)

    init(clock: any MomentSource, lifetime: Duration) throws {
        self.clock = clock
        self.lifetime = lifetime
        authority = try CertificateAuthority(now: clock.now().wall)
    }

    var seen: [Seen] { state.withLock(\.seen) }

    func goOffline(until time: Timestamp) { offlineUntil.withLock { $0 = time } }

    func sayFirst(_ replies: [CertificateReply]) { state.withLock { $0.first = replies } }

    func answer(_ exchange: CertificateExchange) throws -> CertificateReply {
        if let end = offlineUntil.withLock({ $0 }), clock.now().wall < end { throw Unreachable() }
        let headers = Dictionary(exchange.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        var isVerified = false
        if case .authority(let der) = exchange.peer { isVerified = der == authority.certificate }
        let first = state.withLock { state -> CertificateReply? in
            state.seen.append(
                Seen(path: exchange.path, token: headers["Authorization"], hasIdentity: exchange.identity != nil, isVerified: isVerified))
            return state.first.isEmpty ? nil : state.first.removeFirst()
        }
        if let first { return first }
        if exchange.path == "/ca.crt" { return CertificateReply(status: 200, body: authority.certificate) }
        let node = headers["NodeName"] ?? ""
        let request = try SigningRequest(der: exchange.body)
        try request.checkSubject(node: node)
        return CertificateReply(
            status: 200, body: try authority.issue(.node(node, lifetime: lifetime), for: request, now: clock.now().wall))
    }
}

/// Hands on the causes of errors that are logged.
private struct ComplaintBook: LogHandler {
    let note: @Sendable (String) -> Void
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(note: @escaping @Sendable (String) -> Void) { self.note = note }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level == .error { note("\(event.metadata?["error"] ?? "")") }
    }
}

@Suite("The certificate application", .timeLimit(.minutes(1)))
struct CertificateApplicationTests {
    private let folder = "/tmp/certificate-application-\(UniqueID.next())"
    private let lifetime = Duration.seconds(1000)

    private var files: CertificateFiles {
        CertificateFiles(authority: folder + "/rootCA.crt", certificate: folder + "/server.crt", key: folder + "/server.key")
    }

    private func remove() {
        for name in ["rootCA.crt", "server.crt", "server.key", "server.crt.new", "token"] { unlink(folder + "/" + name) }
        rmdir(folder)
    }

    /// Runs an application until `until` is content with it; returns what it holds then.
    private func run(
        _ service: FakeService, _ clock: JumpingClock, token: String?, renewals: Int = 0,
        complaint: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> CertificateFiles.Content {
        var configuration = CertificateApplication.Configuration(nodeName: "edge-1", files: files, token: Redacted(token ?? ""))
        configuration.tokenFile = folder + "/token"
        let application = CertificateApplication(configuration, clock: clock, logger: Logger(label: "test") { _ in ComplaintBook(note: complaint) }) {
            try service.answer($0)
        }
        let (events, renewed) = AsyncStream.makeStream(of: Void.self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await application.run { renewed.yield() } }
            var content = try await application.current()
            var iterator = events.makeAsyncIterator()
            for _ in 0..<renewals {
                await iterator.next()
                content = try await application.current()
            }
            group.cancelAll()
            return content
        }
    }

    private func token(_ authority: CertificateAuthority, _ clock: JumpingClock) -> String {
        JoinToken(authority: authority, expiry: clock.now().wall + .seconds(86400)).text.exposed
    }

    @Test("pins the CA with the token, asks for a certificate over verified TLS, and keeps all of it")
    func join() async throws {
        defer { remove() }
        let clock = JumpingClock(limit: .seconds(600))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let content = try await run(service, clock, token: token(service.authority, clock))
        #expect(content.authority == service.authority.certificate)
        #expect(service.seen.map(\.path) == ["/ca.crt", "/edge.crt"])
        #expect(service.seen.map(\.isVerified) == [false, true])
        #expect(service.seen[0].token == nil)
        #expect(service.seen[1].token?.hasPrefix("Bearer eyJ") == true)
        let stored = try files.load()
        #expect(stored.pair.certificate == content.pair.certificate)
        // A second start needs nobody.
        let again = try await run(service, clock, token: nil)
        #expect(again.pair.certificate == content.pair.certificate)
        #expect(service.seen.count == 2)
    }

    @Test("takes the token of the file before the configured one, without its line end")
    func tokenFile() async throws {
        defer { remove() }
        let clock = JumpingClock(limit: .seconds(600))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        try DurableFile.write(token(service.authority, clock) + "\n", to: folder + "/token", mode: 0o640)
        _ = try await run(service, clock, token: "not.a.good.token")
        #expect(service.seen.count == 2)
    }

    @Test("tries again after refusals, empty answers and rubbish, and writes nothing of them")
    func retries() async throws {
        defer { remove() }
        let clock = JumpingClock(limit: .seconds(600))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let root = CertificateReply(status: 200, body: service.authority.certificate)
        let foreign = try CertificateAuthority(now: clock.now().wall)
        service.sayFirst([
            CertificateReply(status: 503, body: []), CertificateReply(status: 200, body: foreign.certificate),
            root, CertificateReply(status: 200, body: []), root, CertificateReply(status: 200, body: [1, 2, 3]),
            root, CertificateReply(status: 400, body: Array("Invalid authorization token".utf8)),
            root, CertificateReply(status: 200, body: try foreign.issue(.node("edge-1", lifetime: lifetime), now: clock.now().wall).certificate),
        ])
        let content = try await run(service, clock, token: token(service.authority, clock))
        #expect(content.authority == service.authority.certificate)
        #expect(service.seen.count == 12)
    }

    @Test("applies anew where the stored certificate has ended, is another node's or does not match its key")
    func unusable() async throws {
        let clock = JumpingClock(limit: .seconds(600))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let now = clock.now().wall
        let ended = try service.authority.issue(.node("edge-1", lifetime: .seconds(10)), now: now + .seconds(-20))
        let other = try service.authority.issue(.node("edge-2", lifetime: lifetime), now: now)
        for (index, pair) in [ended, other].enumerated() {
            defer { remove() }
            try files.save(CertificateFiles.Content(authority: service.authority.certificate, pair: pair))
            let content = try await run(service, clock, token: token(service.authority, clock))
            #expect(content.pair.certificate != pair.certificate)
            #expect(service.seen.count == 2 * (index + 1))
        }
        defer { remove() }
        try files.save(CertificateFiles.Content(authority: service.authority.certificate, pair: other))
        try DurableFile.write(SigningKey().pem.exposed, to: files.key, mode: 0o600)
        _ = try await run(service, clock, token: token(service.authority, clock))
        #expect(service.seen.count == 6)
    }

    @Test("renews in time with the certificate alone, and tells the hub")
    func rotation() async throws {
        defer { remove() }
        // The first renewal comes after 700 to 900 seconds, the second not before 1400.
        let clock = JumpingClock(limit: .seconds(1200))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let begin = clock.now().wall
        let content = try await run(service, clock, token: token(service.authority, clock), renewals: 1)
        #expect(service.seen.count == 3)
        #expect(service.seen[2].path == "/edge.crt" && service.seen[2].hasIdentity && service.seen[2].token == nil && service.seen[2].isVerified)
        let facts = try CertificateFacts(der: content.pair.certificate)
        #expect(facts.notBefore >= begin + .seconds(700) && facts.notBefore < begin + .seconds(901))
        let stored = try files.load()
        #expect(stored.pair.certificate == content.pair.certificate)
    }

    @Test("T50 a certificate that ends while the cloud is away is replaced with the join token once the cloud is back")
    func expiredOffline() async throws {
        defer { remove() }
        let clock = JumpingClock(limit: .seconds(2100))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let begin = clock.now().wall
        let first = try service.authority.issue(.node("edge-1", lifetime: lifetime), now: begin)
        try files.save(CertificateFiles.Content(authority: service.authority.certificate, pair: first))
        service.goOffline(until: begin + .seconds(1500))
        let content = try await run(service, clock, token: token(service.authority, clock), renewals: 1)
        #expect(service.seen.map(\.path) == ["/ca.crt", "/edge.crt"])
        #expect(service.seen.allSatisfy { !$0.hasIdentity }, "a certificate that has ended vouches for nobody")
        let facts = try CertificateFacts(der: content.pair.certificate)
        #expect(facts.notBefore >= begin + .seconds(1500) && facts.notAfter > clock.now().wall)
        #expect(try files.load().pair.certificate == content.pair.certificate)
    }

    @Test("T50 without a token the log says where to put one, and one that is put there is taken without a restart")
    func expiredWithoutToken() async throws {
        defer { remove() }
        let clock = JumpingClock(limit: .seconds(2100))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let begin = clock.now().wall
        let first = try service.authority.issue(.node("edge-1", lifetime: lifetime), now: begin)
        try files.save(CertificateFiles.Content(authority: service.authority.certificate, pair: first))
        service.goOffline(until: begin + .seconds(1100))
        let late = token(service.authority, clock)
        let file = folder + "/token"
        let complaints = Mutex<[String]>([])
        let content = try await run(service, clock, token: nil, renewals: 1) { complaint in
            let hasNoToken = complaint.contains("there is no join token")
            complaints.withLock { if hasNoToken { $0.append(complaint) } }
            if hasNoToken { try? DurableFile.write(late, to: file, mode: 0o640) }
        }
        #expect(content.pair.certificate != first.certificate)
        let said = complaints.withLock { $0 }
        #expect(said.count == 1)
        #expect(said.first?.contains("put the output of `keadm gettoken` into \(file)") == true)
    }

    @Test("T49 a good certificate that a wrong clock takes for ended is used as soon as the clock is right, without a token")
    func clockAhead() async throws {
        defer { remove() }
        let clock = JumpingClock(limit: .seconds(600))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let right = clock.now().wall
        let pair = try service.authority.issue(.node("edge-1", lifetime: lifetime), now: right)
        try files.save(CertificateFiles.Content(authority: service.authority.certificate, pair: pair))
        clock.setWall(right + .seconds(365 * 86400))
        let content = try await run(service, clock, token: nil) { _ in clock.setWall(right) }
        #expect(content.pair.certificate == pair.certificate)
        #expect(service.seen.isEmpty)
    }

    @Test("T49 a certificate that begins in the future of a clock a year behind is used")
    func clockBehind() async throws {
        defer { remove() }
        let clock = JumpingClock(limit: .seconds(0))
        let service = try FakeService(clock: clock, lifetime: lifetime)
        let right = clock.now().wall
        let pair = try service.authority.issue(.node("edge-1", lifetime: lifetime), now: right)
        try files.save(CertificateFiles.Content(authority: service.authority.certificate, pair: pair))
        clock.setWall(right + .seconds(-365 * 86400))
        let content = try await run(service, clock, token: nil)
        #expect(content.pair.certificate == pair.certificate)
        #expect(service.seen.isEmpty)
    }
}
