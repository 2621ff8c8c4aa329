import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@testable import DeliveryCore

/// Drives the edge's session by hand; it is connected unless told otherwise.
struct EdgeBench {
    var session: EdgeSession
    var uptime: Duration = .seconds(100)
    var generator = SeededGenerator(seed: 1)
    var connects = 0
    var results: [String: Result<EdgeMessage, UplinkError>] = [:]
    var applied: [(id: String, message: EdgeMessage)] = []
    var handed: [EdgeMessage] = []
    var connectivity: [Bool] = []
    var notes: [EdgeSessionNote] = []
    var roundTrips: [UInt64] = []

    init(connected: Bool = true) {
        session = EdgeSession(now: Moment(wall: Timestamp(seconds: 0), uptime: .seconds(100)))
        perform(session.start(now: now))
        guard connected else { return }
        perform(session.connected(epoch: 1, now: now))
        _ = sent()
    }

    var now: Moment { Moment(wall: Timestamp(seconds: 0), uptime: uptime) }

    mutating func perform(_ directives: [EdgeSessionDirective]) {
        for directive in directives {
            switch directive {
            case .connect: connects += 1
            case .connectivity(let isOnline): connectivity.append(isOnline)
            case .resume(let id, let result): results[id] = result
            case .apply(let id, let message): applied.append((id, message))
            case .hand(let message): handed.append(message)
            case .prove(let epoch): roundTrips.append(epoch)
            case .note(let note): notes.append(note)
            }
        }
    }

    mutating func receive(_ message: EdgeMessage) { perform(session.received(message, epoch: session.epoch, now: now)) }
    mutating func lose() { perform(session.closed(epoch: session.epoch, now: now, using: &generator)) }
    mutating func finish(_ id: String, failure: String? = nil) { perform(session.applyFinished(id: id, failure: failure, now: now)) }

    mutating func advance(_ seconds: Double) {
        uptime += .seconds(seconds)
        perform(session.timerFired(now: now))
    }

    mutating func sent() -> [EdgeMessage] {
        var messages: [EdgeMessage] = []
        while let message = session.nextMessage(now: now, using: &generator) {
            messages.append(message)
            perform(session.sendFinished(epoch: session.epoch))
        }
        return messages
    }
}

@Suite("The edge's end of the line")
struct EdgeSessionTests {
    typealias Bench = EdgeBench

    @Test("a keepalive goes out at once and every 15 s")
    func keepalive() {
        var bench = Bench(connected: false)
        bench.perform(bench.session.connected(epoch: 1, now: bench.now))
        let sent1 = bench.sent()
        #expect(sent1.map(\.route.operation) == ["keepalive"])
        #expect(bench.session.nextDeadline(now: bench.now) == bench.uptime + .seconds(15))
        bench.advance(14)
        let sent2 = bench.sent()
        #expect(sent2.isEmpty)
        bench.advance(1)
        let sent3 = bench.sent()
        #expect(sent3.map(\.route.operation) == ["keepalive"])
    }

    @Test("a message is acknowledged when it is durable, and never before")
    func acknowledgement() {
        var bench = Bench()
        let message = SessionBench.object(.update, "a", uid: "u", 5)
        bench.receive(message)
        #expect(bench.applied.map(\.id) == [message.header.id])
        let sent4 = bench.sent()
        #expect(sent4.isEmpty)
        bench.finish(message.header.id)
        let sent = bench.sent()
        #expect(sent.map(\.header.parentID) == [message.header.id])
        #expect(sent.first?.content == "OK")
    }

    @Test("a repeated message is acknowledged again and not applied again; one that is under way is neither")
    func repetition() {
        var bench = Bench()
        let message = SessionBench.object(.update, "a", uid: "u", 5)
        bench.receive(message)
        bench.receive(message)
        bench.finish(message.header.id)
        let sent5 = bench.sent()
        #expect(sent5.count == 1)
        bench.receive(message)
        #expect(bench.applied.count == 1)
        let sent6 = bench.sent()
        #expect(sent6.count == 1)
    }

    @Test("a message that could not be kept is complained about, and tried again when it comes again")
    func failure() {
        var bench = Bench()
        let message = SessionBench.object(.update, "a", uid: "u", 5)
        bench.receive(message)
        bench.finish(message.header.id, failure: "the disk is full")
        let sent = bench.sent()
        #expect(sent.map(\.route.operation) == ["error"])
        #expect(sent.map(\.header.parentID) == [nil])
        bench.receive(message)
        #expect(bench.applied.count == 2)
    }

    /// A request, what answers it, and whether the answer is acknowledged (§5.5).
    static let answers: [(EdgeMessage, Bool)] = [
        (.queryNode("n"), true), (.registerNode(KubeObject(apiVersion: "v1", kind: "Node", name: "n")), true),
        (.updateNode(KubeObject(apiVersion: "v1", kind: "Node", name: "n")), false), (.patchNodeStatus("n", [:]), false),
        (.patchPodStatus(ObjectKey(namespace: "a", name: "p"), [:]), false), (.deletePod(ObjectKey(namespace: "a", name: "p"), uid: "u"), false),
        (.queryLease("n"), true), (.query("configmap", namespace: "a", name: "c"), true), (.query("secret", namespace: "a", name: "c"), true),
        (.query("persistentvolumeclaim", namespace: "a", name: "c"), true),
        (.requestToken(serviceAccount: ObjectKey(namespace: "a", name: "s"), [:]), true),
    ]

    @Test("an answer goes to who asked, and is acknowledged as a Go edge does", arguments: answers)
    func answer(_ row: (EdgeMessage, Bool)) throws {
        var bench = Bench()
        bench.perform(bench.session.request(row.0, timeout: .seconds(60), now: bench.now))
        let sent7 = bench.sent()
        #expect(sent7.map(\.header.id) == [row.0.header.id])
        for reply in [row.0.reply(KubeStatus.notFound(GroupResource(group: "", resource: "x"), "n"))] {
            bench.receive(reply)
            #expect(try bench.results[row.0.header.id]?.get().header.id == reply.header.id)
            let sent8 = bench.sent()
            #expect(sent8.map(\.header.parentID) == (row.1 ? [reply.header.id] : []))
        }
        #expect(bench.applied.isEmpty)
    }

    @Test("answers that nobody waits for are dropped; an object in one is kept, for the cloud records it as held")
    func lateAnswers() {
        var bench = Bench()
        bench.receive(EdgeMessage.queryNode("n").reply("OK"))
        #expect(bench.notes == [.lateAnswer(resource: "default/node/n")])
        let query = EdgeMessage.query("configmap", namespace: "default", name: "a")
        let late = query.reply(KubeObject(SessionBench.object(.update, "a", uid: "u", 5).content), GroupVersionKind("v1", "ConfigMap"))
        bench.receive(late)
        #expect(bench.applied.map(\.message.route.operation) == ["update"])
        #expect(bench.applied.map(\.message.header.parentID) == [nil])
        bench.finish(late.header.id)
        let sent9 = bench.sent()
        #expect(sent9.map(\.header.parentID) == [late.header.id])
    }

    @Test("an object that answers a query is durable before anybody sees it and before it is acknowledged")
    func keptAnswer() throws {
        var bench = Bench()
        let query = EdgeMessage.query("configmap", namespace: "default", name: "a")
        bench.perform(bench.session.request(query, timeout: .seconds(60), now: bench.now))
        _ = bench.sent()
        let answer = query.reply(KubeObject(SessionBench.object(.update, "a", uid: "u", 5).content), GroupVersionKind("v1", "ConfigMap"))
        bench.receive(answer)
        let before = bench.sent()
        #expect(before.isEmpty)
        #expect(bench.results.isEmpty)
        bench.finish(answer.header.id)
        #expect(try bench.results[query.header.id]?.get() == answer)
        let after = bench.sent()
        #expect(after.map(\.header.parentID) == [answer.header.id])
    }

    @Test("requests fail at once when the cloud is away, at the break, and at their deadline")
    func requestFailures() {
        var bench = Bench()
        let (one, two, three) = (EdgeMessage.queryNode("1"), EdgeMessage.queryNode("2"), EdgeMessage.queryNode("3"))
        bench.perform(bench.session.request(one, timeout: .seconds(5), now: bench.now))
        bench.advance(5)
        #expect(bench.results[one.header.id] == .failure(.timedOut))
        bench.perform(bench.session.request(two, timeout: .seconds(60), now: bench.now))
        _ = bench.sent()
        bench.lose()
        #expect(bench.results[two.header.id] == .failure(.connectionLost))
        bench.perform(bench.session.request(three, timeout: .seconds(60), now: bench.now))
        #expect(bench.results[three.header.id] == .failure(.notConnected))
    }

    @Test("reports wait for the cloud, the newest for each resource; those of users all do")
    func posts() {
        var bench = Bench()
        bench.lose()
        func report(_ resource: String, _ content: JSONValue, group: String = "resource") -> EdgeMessage {
            EdgeMessage(source: "edged", group: group, operation: "update", resource: resource, content: content)
        }
        for message in [report("a", 1), report("b", 2), report("a", 3), report("t", 4, group: "user"), report("t", 5, group: "user")] {
            bench.perform(bench.session.post(message))
        }
        bench.advance(30)
        bench.perform(bench.session.connected(epoch: 2, now: bench.now))
        let sent10 = bench.sent()
        #expect(sent10.map(\.content) == ["ping", 3, 2, 4, 5])
    }

    @Test("a report that was being sent at the break is sent again")
    func brokenPost() {
        var bench = Bench()
        bench.perform(bench.session.post(EdgeMessage(source: "edged", group: "resource", operation: "update", resource: "a", content: 1)))
        let message = bench.session.nextMessage(now: bench.now, using: &bench.generator)
        #expect(message?.content == 1)
        bench.lose()
        bench.advance(30)
        bench.perform(bench.session.connected(epoch: 2, now: bench.now))
        let sent11 = bench.sent()
        #expect(sent11.map(\.content) == ["ping", 1])
    }

    @Test("requests and reports keep to the rate, keepalives and acknowledgements do not wait for it")
    func rate() {
        var bench = Bench()
        for index in 0..<100 { bench.perform(bench.session.request(.queryNode("\(index)"), timeout: .seconds(60), now: bench.now)) }
        let sent12 = bench.sent()
        #expect(sent12.count == 60)
        #expect(!bench.session.hasMessage(now: bench.now))
        let message = SessionBench.object(.update, "a", uid: "u", 5)
        bench.receive(message)
        bench.finish(message.header.id)
        let sent13 = bench.sent()
        #expect(sent13.count == 1)
        bench.advance(1)
        let sent14 = bench.sent()
        #expect(sent14.count == 30)
    }

    @Test("pauses between attempts grow from 1 s to 30 s, with chance in them, and begin anew after a connection that lasted (D-19)")
    func pauses() {
        var bench = Bench(connected: false)
        var pauses: [Double] = []
        for _ in 0..<10 {
            bench.lose()
            let deadline = bench.session.nextDeadline(now: bench.now) ?? bench.uptime
            pauses.append((deadline - bench.uptime) / .seconds(1))
            bench.uptime = deadline
            bench.perform(bench.session.timerFired(now: bench.now))
        }
        #expect((0.75...1.25).contains(pauses[0]))
        #expect(pauses.allSatisfy { $0 <= 30 })
        #expect(pauses[9] >= 18)
        #expect(pauses[8] != pauses[9])
        bench.perform(bench.session.connected(epoch: bench.session.epoch, now: bench.now))
        bench.uptime += .seconds(31)
        bench.lose()
        let deadline = bench.session.nextDeadline(now: bench.now) ?? bench.uptime
        #expect(deadline - bench.uptime <= .seconds(1.25))
        #expect(bench.connectivity == [true, false])
    }

    @Test("what an old connection still says is ignored")
    func oldEpoch() {
        var bench = Bench()
        bench.perform(bench.session.closed(epoch: 0, now: bench.now, using: &bench.generator))
        #expect(bench.session.isOnline)
        bench.perform(bench.session.received(SessionBench.object(.update, "a", uid: "u", 5), epoch: 0, now: bench.now))
        #expect(bench.applied.isEmpty)
    }

    @Test("groups go to their modules, unknown ones nowhere, and twin confirmations are no answers")
    func groups() {
        var bench = Bench()
        for group in ["twin", "user", "taskmanager", "dance"] {
            bench.receive(
                EdgeMessage(
                    source: "x", group: group, operation: "update", resource: "membership", content: .null,
                    parentID: group == "twin" ? "p" : nil))
        }
        #expect(bench.handed.map(\.route.group) == ["twin", "user", "taskmanager"])
        #expect(bench.notes == [.unknownGroup("dance")])
        let sent15 = bench.sent()
        #expect(sent15.isEmpty)
    }
}

@Suite("Lanes, buckets and recent sets")
struct SmallPartsTests {
    @Test("elements of a lane go one after the other, lanes side by side up to the limit")
    func lanes() {
        var lanes = KeyedLanes<String, Int>(concurrency: 2, capacity: 5)
        let added = [("a", 1), ("a", 2), ("b", 3), ("c", 4), ("c", 5), ("d", 6)].map { lanes.add($0.1, key: $0.0) }
        #expect(added == [true, true, true, true, true, false])
        var order = [lanes.next()?.element, lanes.next()?.element, lanes.next()?.element]
        for key in ["a", "b"] {
            lanes.finish(key)
            order.append(lanes.next()?.element)
        }
        lanes.finish("c")
        lanes.finish("a")
        order.append(lanes.next()?.element)
        lanes.finish("c")
        #expect(order == [1, 3, nil, 4, 2, 5])
        #expect(lanes.count == 0)
    }

    @Test("a recent set forgets the oldest")
    func recentSet() {
        var set = RecentSet<Int>(capacity: 2)
        for element in [1, 2, 1, 3] { set.insert(element) }
        #expect(!set.contains(1))
        #expect(set.contains(2) && set.contains(3))
    }

    @Test("a bucket says when the next token comes")
    func bucket() {
        var bucket = TokenBucket(rate: 2, burst: 1, now: .zero)
        let taken = [bucket.take(now: .zero), bucket.take(now: .zero)]
        #expect(taken == [true, false])
        let next = bucket.nextToken(now: .zero)
        #expect(next > .milliseconds(499) && next < .milliseconds(501))
        let isLater = bucket.take(now: next)
        #expect(isLater)
    }
}
