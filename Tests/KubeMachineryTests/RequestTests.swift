import KubeMachinery
import Primitives
import Testing

@Suite("Requests")
struct RequestTests {
    static let pods = GroupVersionResource(resource: "pods")
    static let leases = GroupVersionResource(group: "coordination.k8s.io", resource: "leases")

    @Test("verbs become methods and targets")
    func targets() {
        let key = ObjectKey(namespace: "ns", name: "a b")
        let query = ListQuery(namespace: "ns", labelSelector: "a in (b,c)", fieldSelector: "spec.nodeName=n", limit: 5, next: "t+/=")
        let requests: [(KubeRequest, String)] = [
            (.get(Self.pods, key), "GET /api/v1/namespaces/ns/pods/a%20b"),
            (.get(Self.leases, key, subresource: "status"), "GET /apis/coordination.k8s.io/v1/namespaces/ns/leases/a%20b/status"),
            (
                .list(Self.pods, query),
                "GET /api/v1/namespaces/ns/pods?labelSelector=a%20in%20%28b%2Cc%29&fieldSelector=spec.nodeName%3Dn&limit=5&continue=t%2B%2F%3D"
            ),
            (
                .watch(Self.pods, ListQuery(), resourceVersion: "7", timeout: .seconds(60)),
                "GET /api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=60"
            ),
            (.create(Self.pods, namespace: "ns", KubeObject([:])), "POST /api/v1/namespaces/ns/pods"),
            (
                .create(Self.pods, namespace: "ns", name: "p", KubeObject([:]), subresource: "binding"),
                "POST /api/v1/namespaces/ns/pods/p/binding"
            ),
            (.patch(Self.pods, ObjectKey(name: "x"), [:], .merge), "PATCH /api/v1/pods/x"),
            (.delete(Self.pods, key), "DELETE /api/v1/namespaces/ns/pods/a%20b"),
        ]
        for (request, line) in requests { #expect("\(request.method.rawValue) \(request.target)" == line) }
        #expect(KubeRequest.patch(Self.pods, key, [:], .strategic).contentType == "application/strategic-merge-patch+json")
        #expect(KubeRequest.delete(Self.pods, key, options: ["gracePeriodSeconds": 0]).body["kind"] == "DeleteOptions")
    }

    @Test("percent-encoding both ways", arguments: ["a b", "ä/%", "x=y&z", ""])
    func percent(text: String) {
        #expect(PercentEncoding.decoded(PercentEncoding.query(text), isQuery: true) == text)
        #expect(PercentEncoding.decoded(PercentEncoding.segment(text), isQuery: false) == text)
        #expect(PercentEncoding.decoded("a+b", isQuery: true) == "a b")
        #expect(PercentEncoding.decoded("%zz", isQuery: true) == nil)
        #expect(PercentEncoding.decoded("%ff", isQuery: true) == nil)
    }
}

@Suite("Watch responses")
struct WatchDecoderTests {
    private func kinds(_ results: [Result<WatchEvent, KubeStatus>]) -> [String] {
        results.map {
            switch $0 {
            case .success(.added(let object)): "added \(object.name)"
            case .success(.modified(let object)): "modified \(object.name)"
            case .success(.deleted(let object)): "deleted \(object.name)"
            case .success(.bookmark(let version)): "bookmark \(version)"
            case .failure(let status): "failure \(status.code)"
            }
        }
    }

    @Test("lines are events however they are cut", arguments: [1, 7, 10_000])
    func cuts(size: Int) {
        var bytes: [UInt8] = []
        let object = KubeObject(apiVersion: "v1", kind: "Pod", name: "p")
        for event in [WatchEvent.added(object), .modified(object), .bookmark("9"), .deleted(object)] {
            bytes += event.line(apiVersion: "v1", kind: "Pod")
        }
        bytes += Array(#"{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410,"reason":"Expired"}}"#.utf8) + [10]
        var decoder = WatchDecoder()
        var seen: [String] = []
        for start in stride(from: 0, to: bytes.count, by: size) { seen += kinds(decoder.feed(bytes[start..<min(start + size, bytes.count)])) }
        #expect(seen == ["added p", "modified p", "bookmark 9", "deleted p", "failure 410"])
    }

    @Test("garbage and endless lines are failures", arguments: ["{\n", "{\"type\":\"NEW\",\"object\":{}}\n", String(repeating: "x", count: 200)])
    func garbage(text: String) {
        var decoder = WatchDecoder(lineLimit: 100)
        #expect(kinds(decoder.feed(text.utf8)) == ["failure 500"])
    }
}

@Suite("Reflector")
struct ReflectorCoreTests {
    private struct Bench {
        var core = ReflectorCore(query: ListQuery(), pageSize: 2, backoff: Backoff(initial: .seconds(1), limit: .seconds(30)))
        var uptime = Duration.zero
        var generator = SystemRandomNumberGenerator()

        mutating func send(_ event: ReflectorCore.Event, after pause: Duration = .zero) -> [String] {
            uptime += pause
            return core.handle(event, at: Moment(wall: Timestamp(seconds: 0), uptime: uptime), using: &generator).map {
                switch $0 {
                case .list(let query): "list \(query.next ?? "-")"
                case .watch(_, let version): "watch \(version)"
                case .replace(let objects, let version): "replace \(objects.map(\.name).joined(separator: ",")) \(version)"
                case .apply: "apply"
                case .wait(let deadline): "wait \(deadline.components.seconds)"
                case .report(let status): "report \(status.code)"
                }
            }
        }
    }

    private func object(_ name: String, _ version: String = "") -> KubeObject {
        var object = KubeObject(apiVersion: "v1", kind: "Pod", name: name)
        object.resourceVersion = version
        return object
    }

    @Test("pages are put together, then the watch begins where the list ended")
    func paging() {
        var bench = Bench()
        #expect(bench.send(.start) == ["list -"])
        #expect(bench.send(.page(KubeList(items: [object("a")], resourceVersion: "5", next: "t"))) == ["list t"])
        #expect(bench.send(.page(KubeList(items: [object("b")], resourceVersion: "5"))) == ["replace a,b 5", "watch 5"])
        #expect(bench.send(.watchEvent(.added(object("c", "6")))) == ["apply"])
        #expect(bench.send(.watchEvent(.bookmark("9"))) == [])
        #expect(bench.send(.watchEnded(nil)) == ["watch 9"])
    }

    @Test("a failed list changes nothing and is tried again")
    func failedList() {
        var bench = Bench()
        _ = bench.send(.start)
        #expect(bench.send(.listFailed(.serviceUnavailable("down"))) == ["report 503", "wait 1"])
        #expect(bench.send(.timer, after: .seconds(1)) == ["list -"])
        #expect(bench.send(.listFailed(.serviceUnavailable("down"))) == ["report 503", "wait 3"])
        #expect(!bench.core.isSynced)
    }

    @Test("an empty list counts only with a resourceVersion")
    func emptyList() {
        var bench = Bench()
        _ = bench.send(.start)
        #expect(bench.send(.page(KubeList(items: [], resourceVersion: ""))) == ["report 500", "wait 1"])
        _ = bench.send(.timer, after: .seconds(1))
        #expect(bench.send(.page(KubeList(items: [], resourceVersion: "3"))) == ["replace  3", "watch 3"])
    }

    @Test("a broken watch resumes, one that is too old lists again")
    func broken() {
        var bench = Bench()
        _ = bench.send(.start)
        _ = bench.send(.page(KubeList(items: [], resourceVersion: "3")))
        #expect(bench.send(.watchEnded(.serviceUnavailable("cut")), after: .seconds(60)) == ["report 503", "wait 61"])
        #expect(bench.send(.timer, after: .seconds(1)) == ["watch 3"])
        #expect(bench.send(.watchEnded(.gone("too old")), after: .seconds(60)) == ["list -"])
        _ = bench.send(.page(KubeList(items: [], resourceVersion: "8")))
        #expect(bench.send(.watchEnded(.gone("too old"))) == ["report 410", "wait 122"])
    }

    @Test("a server that closes every watch at once is not hammered")
    func closedAtOnce() {
        var bench = Bench()
        _ = bench.send(.start)
        _ = bench.send(.page(KubeList(items: [], resourceVersion: "3")))
        #expect(bench.send(.watchEnded(nil)) == ["wait 1"])
    }

    @Test("events of a past state are ignored")
    func late() {
        var bench = Bench()
        _ = bench.send(.start)
        #expect(bench.send(.watchEvent(.bookmark("99"))) == [])
        #expect(bench.send(.timer) == [])
        #expect(bench.send(.start) == [])
        #expect(bench.core.resourceVersion == nil)
    }
}

@Suite("Work queue")
struct WorkQueueTests {
    @Test("a key is queued once and never worked on twice at a time")
    func once() {
        var queue = WorkQueue<String>()
        queue.add("a")
        queue.add("a")
        #expect(queue.take(at: .zero) == "a")
        queue.add("a")
        #expect(queue.take(at: .zero) == nil)
        queue.done("a")
        #expect(queue.take(at: .zero) == "a")
        queue.done("a")
        #expect(queue.take(at: .zero) == nil)
        #expect(queue.isIdle)
    }

    @Test("failures double the delay until they are forgotten")
    func retries() {
        var queue = WorkQueue<String>(initialDelay: .seconds(1), delayLimit: .seconds(3))
        for deadline in [1, 2, 3, 3] {
            queue.retry("a", at: .zero)
            #expect(queue.nextDeadline == .seconds(deadline))
            #expect(queue.take(at: .seconds(deadline) - .milliseconds(1)) == nil)
            #expect(queue.take(at: .seconds(deadline)) == "a")
            queue.done("a")
        }
        queue.forget("a")
        queue.retry("a", at: .zero)
        #expect(queue.nextDeadline == .seconds(1))
    }

    @Test("order is kept over many keys")
    func order() {
        var queue = WorkQueue<Int>()
        for key in 0..<1000 { queue.add(key) }
        var seen: [Int] = []
        while let key = queue.take(at: .zero) {
            seen.append(key)
            queue.done(key)
        }
        #expect(seen == Array(0..<1000))
    }
}
