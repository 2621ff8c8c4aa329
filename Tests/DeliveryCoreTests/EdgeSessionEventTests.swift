import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@testable import DeliveryCore

@Suite("Events give way to everything else")
struct EdgeSessionEventTests {
    private func event(_ number: Int) -> EdgeMessage {
        .createEvent(KubeObject(["metadata": ["name": .string("web.\(number)"), "namespace": "shop"]]))
    }
    private func query(_ number: Int) -> EdgeMessage { .query("configmap", namespace: "shop", name: "c\(number)") }

    @Test("they are sent last, and only of the half of the allowance that others do not need")
    func order() {
        var bench = EdgeBench()
        for number in 0..<40 { bench.perform(bench.session.request(event(number), timeout: .seconds(60), now: bench.now)) }
        for number in 0..<10 { bench.perform(bench.session.request(query(number), timeout: .seconds(60), now: bench.now)) }
        let sent = bench.sent().map(\.route.resource)
        #expect(sent.prefix(10).allSatisfy { $0.hasPrefix("shop/configmap/") })
        #expect(sent.count == 30, "ten requests and twenty events leave thirty of sixty")
        for number in 10..<40 { bench.perform(bench.session.request(query(number), timeout: .seconds(60), now: bench.now)) }
        let burst = bench.sent()
        #expect(burst.count == 30, "a burst of requests finds its allowance untouched")
        #expect(bench.session.nextDeadline(now: bench.now).map { $0 > bench.now.uptime } == true)
        bench.advance(1.1)
        let few = bench.sent()
        #expect(few.count <= 3, "events wait until there is plenty again")
        bench.advance(1)
        let rest = bench.sent()
        #expect(!rest.isEmpty && rest.allSatisfy { $0.route.resource.hasPrefix("shop/event/") })
    }

    @Test("they fail with the connection, time out, and can be given up")
    func ends() {
        var bench = EdgeBench()
        let messages = (0..<40).map(event)
        for message in messages { bench.perform(bench.session.request(message, timeout: .seconds(5), now: bench.now)) }
        _ = bench.sent()
        bench.session.abandon(messages[39].header.id)
        bench.lose()
        #expect(bench.results.values.count { if case .failure = $0 { true } else { false } } == 39)
        #expect(bench.session.background.isEmpty)
    }

    @Test("reports of events are dropped before any other report")
    func reports() {
        var bench = EdgeBench(connected: false)
        for number in 0..<1023 { bench.perform(bench.session.post(query(number))) }
        for number in 0..<3 { bench.perform(bench.session.post(event(number))) }
        #expect(bench.notes == [.postDropped(resource: "shop/event/web.0"), .postDropped(resource: "shop/event/web.1")])
    }
}
