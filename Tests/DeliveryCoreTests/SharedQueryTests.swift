import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@testable import DeliveryCore

/// A Go cloud sends the last of several answers about one object only: queries for it share what comes.
@Suite("Queries for one object")
struct SharedQueryTests {
    typealias Bench = EdgeBench

    private static func query() -> EdgeMessage { .query("configmap", namespace: "default", name: "a") }

    private static func answer(to query: EdgeMessage) -> EdgeMessage {
        query.reply(KubeObject(SessionBench.object(.update, "a", uid: "u", 5).content), GroupVersionKind("v1", "ConfigMap"))
    }

    /// Asks so many times, with these deadlines in seconds.
    private func ask(_ bench: inout Bench, _ deadlines: [Double]) -> [EdgeMessage] {
        deadlines.map { seconds in
            let query = Self.query()
            bench.perform(bench.session.request(query, timeout: .seconds(seconds), now: bench.now))
            return query
        }
    }

    @Test("one request is sent, and its answer serves everybody")
    func oneRequest() throws {
        var bench = Bench()
        let queries = ask(&bench, [60, 60, 60])
        let sent = bench.sent()
        #expect(sent.map(\.header.id) == [queries[0].header.id])
        let answer = Self.answer(to: queries[0])
        bench.receive(answer)
        #expect(bench.results.isEmpty)
        bench.finish(answer.header.id)
        for query in queries { #expect(try bench.results[query.header.id]?.get() == answer) }
        let acknowledged = bench.sent()
        #expect(acknowledged.map(\.header.parentID) == [answer.header.id])
        let next = ask(&bench, [60])
        let again = bench.sent()
        #expect(again.map(\.header.id) == [next[0].header.id])
    }

    @Test("an error serves everybody too, and is acknowledged once")
    func error() throws {
        var bench = Bench()
        let queries = ask(&bench, [60, 60])
        _ = bench.sent()
        bench.receive(queries[0].reply(KubeStatus.notFound(GroupResource(group: "", resource: "configmaps"), "a")))
        #expect(bench.results.count == 2)
        let acknowledged = bench.sent()
        #expect(acknowledged.count == 1)
    }

    @Test("a change that comes answers who asks, once it is durable; one that was not sent yet need not be")
    func change() throws {
        var bench = Bench()
        let queries = ask(&bench, [60, 60])
        let change = EdgeMessage.object(
            .update, KubeObject(Self.answer(to: queries[0]).content), GroupVersionKind("v1", "ConfigMap"), source: EdgeSource.edgeController)
        bench.receive(change)
        #expect(bench.results.isEmpty)
        bench.finish(change.header.id)
        for query in queries { #expect(try bench.results[query.header.id]?.get() == change) }
        let sent = bench.sent()
        #expect(sent.map(\.route.operation) == ["response"])
    }

    @Test("a removal is no answer")
    func removal() {
        var bench = Bench()
        _ = ask(&bench, [60])
        let removal = EdgeMessage.removal(
            ObjectKey(namespace: "default", name: "a"), uid: "u", GroupVersionKind("v1", "ConfigMap"), source: EdgeSource.edgeController)
        bench.receive(removal)
        bench.finish(removal.header.id)
        #expect(bench.results.isEmpty)
    }

    @Test("where the first gives up, the next asks: at its deadline, and before it was sent")
    func givenUp() throws {
        var bench = Bench()
        let timed = ask(&bench, [10, 60])
        _ = bench.sent()
        bench.advance(11)
        #expect(throws: UplinkError.timedOut) { try bench.results[timed[0].header.id]?.get() }
        let repeated = bench.sent()
        #expect(repeated.map(\.header.id) == [timed[1].header.id])

        var other = Bench()
        let abandoned = ask(&other, [60, 60, 60])
        other.session.abandon(abandoned[0].header.id)
        let sent = other.sent()
        #expect(sent.map(\.header.id) == [abandoned[1].header.id])
        // Whoever sent it may go: its answer still serves the others.
        other.session.abandon(abandoned[1].header.id)
        let answer = Self.answer(to: abandoned[1])
        other.receive(answer)
        other.finish(answer.header.id)
        #expect(try other.results[abandoned[2].header.id]?.get() == answer)
        #expect(other.results[abandoned[1].header.id] == nil)
    }

    @Test("queries for tokens and leases, and for other objects, share nothing")
    func others() {
        var bench = Bench()
        let account = ObjectKey(namespace: "default", name: "s")
        let messages: [EdgeMessage] = [
            .requestToken(serviceAccount: account, ["spec": ["audiences": ["a"]]]), .requestToken(serviceAccount: account, ["spec": [:]]),
            .queryLease("n"), .queryLease("n"), .query("configmap", namespace: "default", name: "a"),
            .query("secret", namespace: "default", name: "a"), .query("configmap", namespace: "other", name: "a"),
        ]
        for message in messages { bench.perform(bench.session.request(message, timeout: .seconds(60), now: bench.now)) }
        let sent = bench.sent()
        #expect(sent.map(\.header.id) == messages.map(\.header.id))
    }

    @Test("at a break everybody is told")
    func breakdown() {
        var bench = Bench()
        let queries = ask(&bench, [60, 60])
        _ = bench.sent()
        bench.lose()
        #expect(Set(bench.results.keys) == Set(queries.map(\.header.id)))
    }
}
