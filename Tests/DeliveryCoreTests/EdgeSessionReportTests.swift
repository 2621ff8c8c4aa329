import EdgeMessages
import Primitives
import Testing

@testable import DeliveryCore

@Suite("The edge's end of the line: reports and their proofs")
struct EdgeSessionReportTests {
    private func report(_ bench: inout EdgeBench, _ id: String, _ proof: ReportProof, on resource: String = "t") -> EdgeMessage {
        let message = OutboxFixture.message(id, on: resource)
        bench.perform(bench.session.report(message, proof: proof, timeout: .seconds(30), now: bench.now))
        return message
    }

    @Test("an answered report ends with its answer, also where that is one of a twin")
    func answer() {
        var bench = EdgeBench()
        let upload = report(&bench, "a", .answer)
        var twin = OutboxFixture.message("b", on: "device/default/d/twin/edge_updated")
        (twin.route.group, twin.route.operation) = (EdgeGroup.resource, EdgeOperation.update)
        bench.perform(bench.session.report(twin, proof: .answer, timeout: .seconds(30), now: bench.now))
        let sent = bench.sent()
        #expect(sent == [upload, twin])
        #expect(bench.roundTrips.isEmpty)
        let answers = [upload.confirmation(), twin.confirmation()]
        for answer in answers { bench.receive(answer) }
        #expect(bench.results == ["a": .success(answers[0]), "b": .success(answers[1])])
        // The same of a twin that nobody reported through here goes to the module of twins.
        twin.header.id = "c"
        bench.receive(twin.confirmation())
        #expect(bench.handed.map(\.header.parentID) == ["c"])
        #expect(bench.session.backlog.requests == 0)
    }

    @Test("one round trip proves what was sent before it; what is sent meanwhile waits for the next")
    func roundTrips() {
        var bench = EdgeBench()
        let first = report(&bench, "a", .reading)
        let second = report(&bench, "b", .reading)
        _ = bench.sent()
        // The second had not gone when the first round trip began.
        #expect(bench.roundTrips == [1])
        bench.perform(bench.session.proved(epoch: 1, isProved: true))
        #expect(bench.results == ["a": .success(first)])
        #expect(bench.roundTrips == [1, 1])
        let third = report(&bench, "c", .reading)
        let fourth = report(&bench, "d", .reading)
        _ = bench.sent()
        bench.perform(bench.session.proved(epoch: 1, isProved: true))
        bench.perform(bench.session.proved(epoch: 1, isProved: true))
        #expect(bench.results == ["a": .success(first), "b": .success(second), "c": .success(third), "d": .success(fourth)])
        #expect(bench.roundTrips == [1, 1, 1])
        #expect(bench.session.backlog.requests == 0)
    }

    @Test("a round trip that does not come back, a break and an old connection prove nothing")
    func noProof() {
        var bench = EdgeBench()
        _ = report(&bench, "a", .reading)
        _ = bench.sent()
        bench.perform(bench.session.proved(epoch: 1, isProved: false))
        #expect(bench.results == ["a": .failure(.timedOut)])
        _ = report(&bench, "b", .reading)
        _ = bench.sent()
        bench.lose()
        #expect(bench.results["b"] == .failure(.connectionLost))
        bench.advance(2)
        bench.perform(bench.session.connected(epoch: 2, now: bench.now))
        let again = report(&bench, "b", .reading)
        bench.results = [:]
        bench.perform(bench.session.proved(epoch: 1, isProved: true))
        #expect(bench.results.isEmpty)
        let sent = bench.sent()
        #expect(sent.contains(again))
        bench.perform(bench.session.proved(epoch: 2, isProved: true))
        #expect(bench.results == ["b": .success(again)])
    }

    @Test("reports give way: half of the allowance stays for everything else")
    func background() {
        var bench = EdgeBench()
        for index in 0..<60 { _ = report(&bench, "r\(index)", .answer) }
        let sent1 = bench.sent()
        #expect(sent1.count == 30)
        bench.perform(bench.session.request(.queryNode("n"), timeout: .seconds(10), now: bench.now))
        let sent2 = bench.sent()
        #expect(sent2.map(\.route.operation) == ["query"])
        bench.advance(30)
        #expect(bench.results.values.count { $0 == .failure(.timedOut) } == 61)
    }

    @Test("without a connection a report fails at once")
    func offline() {
        var bench = EdgeBench(connected: false)
        _ = report(&bench, "a", .answer)
        #expect(bench.results == ["a": .failure(.notConnected)])
    }
}
