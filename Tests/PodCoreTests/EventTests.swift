import KubeMachinery
import Primitives
import Testing

@testable import PodCore

private let subject = KubeletEvent.Subject(kind: "Pod", namespace: "shop", name: "web", uid: "7b1f-4c", fieldPath: "spec.containers{main}")

private func event(_ message: String, reason: String = "Failed", level: KubeletEvent.Level = .warning, pod: String = "web") -> KubeletEvent {
    var subject = subject
    subject.name = pod
    return KubeletEvent(subject, level, reason: reason, message: message)
}

/// A correlator that expectations can ask.
private final class Correlating {
    private var correlator: EventCorrelator
    init(_ limits: EventCorrelator.Limits = EventCorrelator.Limits()) { correlator = EventCorrelator(limits) }
    func correlate(_ event: KubeletEvent, now: Moment) -> EventRecord? { correlator.correlate(event, now: now) }
}

/// The same for events of a node.
private final class Observing {
    private var events = NodeEvents(node: "edge-1")
    func observe(_ facts: MachineFacts, cluster: KubeObject, isNew: Bool) -> [KubeletNotice] { events.observe(facts, cluster: cluster, isNew: isNew) }
}

@Suite("Events are counted, joined and held back as client-go does")
struct EventCorrelatorTests {
    @Test("the same event again raises the count of the first and moves its end")
    func repetition() throws {
        let correlator = Correlating()
        let first = try #require(correlator.correlate(event("a"), now: Fixture.at(0)))
        let second = try #require(correlator.correlate(event("a"), now: Fixture.at(7)))
        #expect((first.count, second.count) == (1, 2))
        #expect(first.key == second.key)
        #expect(second.first == Fixture.start && second.last == Fixture.start + .seconds(7))
        var other = event("a")
        other.subject.fieldPath = "spec.containers{other}"
        for different in [event("b"), event("a", reason: "BackOff"), event("a", level: .normal), event("a", pod: "db"), other] {
            #expect(correlator.correlate(different, now: Fixture.at(8))?.count == 1)
        }
    }

    @Test("names never repeat, though the clock stands still or is set back")
    func names() {
        let correlator = Correlating()
        let moments = [Fixture.at(0), Fixture.at(0), Moment(wall: Timestamp(seconds: 5), uptime: .seconds(1001))]
        let names = moments.enumerated().compactMap { correlator.correlate(event("m\($0)"), now: $1)?.key.name }
        #expect(Set(names).count == 3)
        #expect(names.allSatisfy { $0.hasPrefix("web.18") })
    }

    @Test("the tenth different message in ten minutes is joined, and so are those after it")
    func joining() throws {
        let correlator = Correlating()
        for number in 1...9 {
            #expect(correlator.correlate(event("m\(number)"), now: Fixture.at(Int64(number)))?.event.message == "m\(number)")
        }
        let tenth = try #require(correlator.correlate(event("m10"), now: Fixture.at(10)))
        let eleventh = try #require(correlator.correlate(event("m11"), now: Fixture.at(11)))
        #expect(tenth.event.message == "(combined from similar events): m10")
        #expect(eleventh.event.message == "(combined from similar events): m11")
        #expect(tenth.key == eleventh.key && eleventh.count == 2)
        #expect(correlator.correlate(event("x", reason: "BackOff"), now: Fixture.at(11))?.event.message == "x")
        #expect(correlator.correlate(event("later"), now: Fixture.at(700))?.event.message == "later", "ten quiet minutes end it")
    }

    @Test("an object may have 25 events at once and one more every five minutes, however long it is quiet")
    func allowance() {
        let correlator = Correlating()
        func passed(_ count: Int, at seconds: Int64, pod: String = "web") -> Int {
            (0..<count).count { _ in correlator.correlate(event("same", pod: pod), now: Fixture.at(seconds)) != nil }
        }
        #expect(passed(40, at: 0) == 25)
        #expect(passed(3, at: 1, pod: "db") == 3, "another pod has its own")
        #expect(passed(3, at: 299) == 0)
        #expect(passed(3, at: 301) == 1)
        #expect(correlator.correlate(event("same"), now: Fixture.at(602))?.count == 47, "what was held back counts")
        #expect(passed(60, at: 1_000_000) == 25)
    }

    @Test("its memory is bounded, and long messages are cut")
    func bounds() throws {
        var limits = EventCorrelator.Limits()
        limits.memory = 8
        let correlator = Correlating(limits)
        _ = correlator.correlate(event("kept"), now: Fixture.at(0))
        for number in 0..<100 {
            _ = correlator.correlate(event("m", pod: "pod-\(number)"), now: Fixture.at(1))
            if number % 3 == 0 { _ = correlator.correlate(event("kept"), now: Fixture.at(1)) }
        }
        #expect(try #require(correlator.correlate(event("m", pod: "pod-0"), now: Fixture.at(2))).count == 1, "forgotten")
        let long = try #require(correlator.correlate(event(String(repeating: "ü", count: 5000), pod: "talker"), now: Fixture.at(3)))
        #expect(long.event.message.utf8.count <= 2048 + 8)
        var table = RecentTable<Int>(limit: 8)
        for key in 0..<1000 {
            table[key] = key
            if key % 2 == 0 { table[0] = 0 }
        }
        #expect(table.count <= 8 && table[0] == 0 && table[999] == 999)
    }
}

@Suite("What waits for the cloud is bounded")
struct EventBacklogTests {
    private func record(_ name: String, count: Int64 = 1, level: KubeletEvent.Level = .normal, number: UInt64 = 1) -> EventRecord {
        EventRecord(event("m", level: level, pod: name), number: number, count: count, first: Fixture.start, last: Fixture.start)
    }

    @Test("a newer count replaces the older one, new or known")
    func folding() {
        var backlog = EventBacklog()
        backlog.add(record("a"))
        backlog.add(record("a", count: 2))
        #expect(backlog.entries == [.init(record("a", count: 2), isKnown: false)])
        backlog.add(record("b", count: 5))
        #expect(backlog.entries.last == .init(record("b", count: 5), isKnown: true))
        backlog.sent(record("a", count: 1))
        #expect(backlog.entries.first == .init(record("a", count: 2), isKnown: true), "the newer count still waits")
        backlog.sent(record("a", count: 2))
        backlog.refused(record("b", count: 5))
        #expect(backlog.isEmpty)
    }

    @Test("where too many wait the oldest of type Normal goes first, then the oldest warning")
    func dropping() {
        var limits = EventBacklog.Limits()
        limits.count = 3
        var backlog = EventBacklog(limits)
        for (name, level) in [("w1", KubeletEvent.Level.warning), ("n1", .normal), ("n2", .normal), ("w2", .warning)] {
            backlog.add(record(name, level: level))
        }
        #expect(backlog.entries.map(\.record.event.subject.name) == ["w1", "n2", "w2"])
        for name in ["w3", "w4"] { backlog.add(record(name, level: .warning)) }
        #expect(backlog.entries.map(\.record.event.subject.name) == ["w2", "w3", "w4"])
        #expect(backlog.dropped == 3)
    }

    @Test("bytes count too")
    func bytes() {
        var limits = EventBacklog.Limits()
        limits.bytes = 10_000
        var backlog = EventBacklog(limits)
        for number in 0..<100 {
            backlog.add(EventRecord(event(String(repeating: "x", count: 1000)), number: UInt64(number), first: Fixture.start, last: Fixture.start))
        }
        #expect((5...9).contains(backlog.entries.count))
    }

    @Test("what was kept over a restart comes before what is new")
    func restoring() {
        var backlog = EventBacklog()
        backlog.add(record("new"))
        backlog.restore([.init(record("old", count: 3), isKnown: true)])
        #expect(backlog.entries.map(\.record.event.subject.name) == ["old", "new"])
        #expect(backlog.next?.isKnown == true)
    }
}

@Suite("Events as objects and in words")
struct EventFormTests {
    private let record = EventRecord(
        event("Error: ErrImagePull"), number: 0x18a0_0000_0000_00ff, count: 3, first: Fixture.start, last: Fixture.start + .seconds(61))

    @Test("an event is the object that a Go kubelet makes, byte for byte")
    func object() {
        #expect(
            record.object(node: "edge-1").json.text()
                == #"{"metadata":{"name":"web.18a00000000000ff","namespace":"shop","creationTimestamp":null},"#
                + #""involvedObject":{"kind":"Pod","namespace":"shop","name":"web","uid":"7b1f-4c","apiVersion":"v1","#
                + #""fieldPath":"spec.containers{main}"},"reason":"Failed","message":"Error: ErrImagePull","#
                + #""source":{"component":"kubelet","host":"edge-1"},"firstTimestamp":"2026-11-23T11:15:57Z","#
                + #""lastTimestamp":"2026-11-23T11:16:58Z","count":3,"type":"Warning","eventTime":null,"#
                + #""reportingComponent":"kubelet","reportingInstance":"edge-1"}"#)
        #expect(record.patch.text() == #"{"count":3,"lastTimestamp":"2026-11-23T11:16:58Z","message":"Error: ErrImagePull"}"#)
        #expect(EventRecord(record.object(node: "edge-1")) == record)
    }

    @Test("an event of the node stands in namespace default and has the node's name for its UID")
    func node() {
        let event = KubeletEvent(.node("edge-1"), NodeEvents.starting)
        let object = EventRecord(event, number: 255, first: Fixture.start, last: Fixture.start).object(node: "edge-1")
        #expect(object.key == ObjectKey(namespace: "default", name: "edge-1.ff"))
        #expect(object.json["involvedObject"].text() == #"{"kind":"Node","name":"edge-1","uid":"edge-1"}"#)
        #expect(EventRecord(KubeObject(["metadata": ["name": "other"]])) == nil)
    }

    @Test(
        "the kubelet's words",
        arguments: [
            (KubeletNotice.pulling("busybox:1"), "Normal Pulling Pulling image \"busybox:1\""),
            (
                .pulled("busybox:1", pull: .milliseconds(1234), whole: .seconds(62)),
                "Normal Pulled Successfully pulled image \"busybox:1\" in 1.234s (1m2s including waiting)"
            ),
            (.present("b"), "Normal Pulled Container image \"b\" already present on machine"),
            (.pullFailed("b", "no such host"), "Warning Failed Failed to pull image \"b\": no such host"),
            (.pullBackOff("b"), "Normal BackOff Back-off pulling image \"b\""),
            (.neverPulled("b"), "Warning ErrImageNeverPull Container image \"b\" is not present with pull policy of Never"),
            (.created("c"), "Normal Created Created container c"), (.started("c"), "Normal Started Started container c"),
            (.killing("Stopping container c"), "Normal Killing Stopping container c"),
            (.failed("boom"), "Warning Failed Error: boom"), (.postStartFailed, "Warning FailedPostStartHook PostStartHook failed"),
            (.unhealthy(.liveness, "dial"), "Warning Unhealthy Liveness probe failed: dial"),
            (
                .restartBackOff("main", of: PodView(Fixture.pod())),
                "Warning BackOff Back-off restarting failed container main in pod web_shop(7b1f-4c)"
            ),
            (.mountFailed("v", "x"), "Warning FailedMount MountVolume.SetUp failed for volume \"v\" : x"),
            (
                .skippedVariables(["1a", "2b"], of: ObjectReference(.configMap, "cm"), namespace: "shop"),
                "Warning InvalidEnvironmentVariableNames Keys [1a, 2b] from the EnvFrom configMap shop/cm were skipped since they are considered "
                    + "invalid environment variable names."
            ),
        ])
    func words(notice: KubeletNotice, line: String) {
        #expect("\(notice.level.rawValue) \(notice.reason) \(notice.message)" == line)
    }

    @Test(
        "durations as Go writes them, cut to milliseconds",
        arguments: [
            (Duration.zero, "0s"), (.microseconds(900), "0s"), (.milliseconds(5), "5ms"), (.milliseconds(999), "999ms"),
            (.milliseconds(1500), "1.5s"),
            (.seconds(60), "1m0s"), (.milliseconds(62_003), "1m2.003s"), (.seconds(3723), "1h2m3s"),
        ])
    func durations(duration: Duration, text: String) { #expect(duration.goMilliseconds == text) }

    @Test(
        "a container that did not start is told by the reason of its image or by the words of its failure",
        arguments: [
            ("ErrImagePull", "rpc error", "Error: ErrImagePull"), ("ImagePullBackOff", "Back-off", "Error: ImagePullBackOff"),
            ("CreateContainerConfigError", "configmap \"x\" not found", "Error: configmap \"x\" not found"),
            ("RunContainerError", "exec failed", "Error: exec failed"), ("CrashLoopBackOff", "back-off", nil), ("PostStartHookError", "secret", nil),
        ])
    func failures(reason: String, message: String, expected: String?) {
        #expect(KubeletNotice.failed(StartFailure(reason: reason, message: message))?.message == expected)
    }

    @Test("a resolver configuration tells what it had to leave out")
    func resolver() {
        var node = NodeFacts()
        node.resolverConfiguration = "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n"
        let plan = ResolverPlan(PodView(Fixture.pod(spec: ["dnsPolicy": "Default"])), node: node)
        #expect(KubeletNotice.resolver(plan).map(\.reason) == ["DNSConfigForming"])
        #expect(KubeletNotice.resolver(plan)[0].message.hasSuffix("the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3"))
    }
}

@Suite("Events of the node")
struct NodeEventsTests {
    private func node(ready: String?, boot: String = "b1", unschedulable: Bool = false) -> KubeObject {
        var node = KubeObject(apiVersion: "v1", kind: "Node", name: "edge-1")
        node.json["status"] = ["nodeInfo": ["bootID": .string(boot)]]
        if let ready { node.status["conditions"] = [["type": "Ready", "status": .string(ready)]] }
        if unschedulable { node.spec["unschedulable"] = true }
        return node
    }

    @Test("pressures are told at every start, readiness where it changes, a reboot once")
    func changes() {
        var facts = MachineFacts()
        facts.bootID = "b1"
        let events = Observing()
        let pressures = ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"]
        #expect(events.observe(facts, cluster: node(ready: "True"), isNew: false).map(\.reason) == pressures)
        #expect(events.observe(facts, cluster: node(ready: "True"), isNew: false).isEmpty)
        facts.problems = ["container runtime is down"]
        facts.hasDiskPressure = true
        let worse = events.observe(facts, cluster: node(ready: "True"), isNew: false)
        #expect(worse.map(\.message) == ["NodeHasDiskPressure", "NodeNotReady"].map { "Node edge-1 status is now: \($0)" })
        #expect(events.observe(facts, cluster: node(ready: "True"), isNew: false).isEmpty, "the cluster has not heard yet")
        facts.problems = []
        #expect(events.observe(facts, cluster: node(ready: "False"), isNew: false).map(\.reason) == ["NodeReady"])
        facts.bootID = "b2"
        #expect(
            events.observe(facts, cluster: node(ready: "True"), isNew: false)
                == [KubeletNotice(.warning, "Rebooted", "Node edge-1 has been rebooted, boot id: b2")])
        #expect(events.observe(facts, cluster: node(ready: "True"), isNew: false).isEmpty)
        let cordoned = events.observe(facts, cluster: node(ready: "True", boot: "b2", unschedulable: true), isNew: false)
        #expect(cordoned.map(\.reason) == ["NodeNotSchedulable"])
    }

    @Test("a node that has just been made, or that the cluster holds for gone, becomes ready")
    func firstReady() {
        for (cluster, isNew) in [(node(ready: "True"), true), (node(ready: "Unknown"), false), (node(ready: nil), false)] {
            let events = Observing()
            #expect(events.observe(MachineFacts(), cluster: cluster, isNew: isNew).last?.reason == "NodeReady")
        }
    }
}
