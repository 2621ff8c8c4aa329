import EdgeMessages
import EdgeTesting
import Primitives
import Testing

/// What a poor link does to messages.
@Suite("The line on a poor link", .enabled(if: PacketLink.isPossible, "needs root, /dev/net/tun and iproute2"), .timeLimit(.minutes(5)))
struct LoadTests {
    private let clock = SystemClock()

    /// Text that TLS and JSON make no shorter.
    private static func text(_ count: Int) -> String {
        var generator = SeededGenerator(seed: UInt64(count))
        return String(decoding: (0..<count).map { _ in UInt8.random(in: 97...122, using: &generator) }, as: UTF8.self)
    }

    @Test("T43 on a link full of large messages in both directions the session stays and everything arrives")
    func saturation() async throws {
        try await LineEdge.with("t43") { edge, link in
            let maps = try await edge.makeMaps(2)
            let attempts = await edge.attempts
            // 22 KB a second with two seconds' worth of queue: the first object alone takes longer than two heartbeats.
            link.change {
                $0.rate = 22_000
                $0.queue = .seconds(2)
            }
            let begin = clock.now().uptime
            let misses = try await edge.watchingReadiness {
                async let first: Void = edge.arrives(maps[0], try await edge.write(maps[0], Self.text(900_000)), within: .seconds(150))
                async let second: Void = edge.arrives(maps[1], try await edge.write(maps[1], Self.text(100_000)), within: .seconds(150))
                async let up: Void = report(edge)
                _ = try await (first, second, up)
            }
            let time = clock.now().uptime - begin
            print("t43: \(time), up \(link.counts(.up)), down \(link.counts(.down))")
            #expect(time > .seconds(45), "the link was full for longer than the cloud waits for a keepalive")
            #expect(link.counts(.up).bytes > 800_000 && link.counts(.down).bytes > 1_000_000)
            #expect(await edge.attempts == attempts, "the session is the same")
            #expect(misses == 0)
        }
    }

    /// Large reports; each ends with the answer of the cloud, which has read it then.
    private func report(_ edge: LineEdge) async throws {
        for _ in 0..<4 {
            var message = EdgeMessage(
                source: EdgeSource.bus, group: EdgeGroup.user, operation: EdgeOperation.upload, resource: "t43", content: .string(Self.text(200_000)))
            message.wantsAnswer = true
            let answer = try await edge.hub.report(message, proof: .answer, timeout: .seconds(120))
            #expect(answer.header.parentID == message.header.id)
        }
    }

    struct Weather: Sendable, CustomTestStringConvertible {
        let name: String
        var conditions = LinkConditions()

        init(_ name: String, _ change: (inout LinkConditions) -> Void) {
            self.name = name
            change(&conditions)
        }

        var testDescription: String { name }

        static let all = [
            Weather("1 % lost") { $0.loss = 0.01 },
            Weather("10 % lost") { $0.loss = 0.1 },
            Weather("30 % lost") { $0.loss = 0.3 },
            Weather("every fifth overtaken, every tenth twice") {
                $0.overtaken = 0.2
                $0.duplicates = 0.1
            },
            Weather("600 ms each way") { $0.delay = .milliseconds(600) },
        ]
    }

    @Test(
        "T44 packets lost, overtaken, doubled and late: everything arrives, in order for each object, and the node stays ready",
        arguments: Weather.all)
    func weather(weather: Weather) async throws {
        let name = "t44-\(Weather.all.firstIndex { $0.name == weather.name } ?? 0)"
        try await LineEdge.with(name) { edge, link in
            let maps = try await edge.makeMaps(4)
            link.change { $0 = weather.conditions }
            var last: [String: UInt64] = [:]
            let misses = try await edge.watchingReadiness {
                for round in 0..<30 {
                    for map in maps { last[map] = try await edge.write(map, "\(round) \(Self.text(2000))") }
                    try await clock.wait(until: clock.now().uptime + .milliseconds(400))
                }
                for (map, version) in last { try await edge.arrives(map, version, within: .seconds(90)) }
            }
            for map in maps {
                let versions = edge.memory.all("default/configmap/\(map)")
                #expect(versions == versions.sorted() && versions.last == last[map])
            }
            #expect(misses == 0)
            let counts = [link.counts(.up), link.counts(.down)]
            print("\(weather.name): \(await edge.attempts) attempts, \(counts)")
            if weather.conditions.loss >= 0.1 { #expect(counts.allSatisfy { $0.lost > 0 }) }
            if weather.conditions.overtaken > 0 { #expect(counts.allSatisfy { $0.overtaken > 0 && $0.doubled > 0 }) }
        }
    }
}
