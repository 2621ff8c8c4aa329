import EdgeMessages
import EdgeTesting
import KubeMachinery
import KubeResources
import Primitives
import Testing

@testable import EdgeController

private func event(
    _ name: String = "web.18a0", about pod: String = "web", kind: String = "Pod", namespace: String = "default", host: String = "edge-1",
    count: Int64 = 1
) -> KubeObject {
    KubeObject([
        "metadata": ["name": .string(name), "namespace": .string(namespace), "creationTimestamp": nil, "labels": ["smuggled": "yes"]],
        "involvedObject": ["kind": .string(kind), "namespace": .string(namespace), "name": .string(pod), "uid": "u"], "reason": "Failed",
        "message": "Error: ErrImagePull", "source": ["component": "kubelet", "host": .string(host)], "firstTimestamp": "2026-11-23T11:15:57Z",
        "lastTimestamp": "2026-11-23T11:15:57Z", "count": .integer(count), "type": "Warning", "eventTime": nil,
        "reportingComponent": "kubelet", "reportingInstance": .string(host),
    ])
}

@Suite("Events that nodes report", .timeLimit(.minutes(1)))
struct NodeEventTests {
    let api = FakeKubeAPI()
    let downlink = RecordingDownlink()
    private let key = ObjectKey(namespace: "default", name: "web.18a0")

    func with(_ body: @Sendable (EdgeController) async throws -> Void) async throws {
        await api.put(Resources.nodes, edgeNode("edge-1"))
        await api.put(Resources.pods, pod("web"))
        await api.put(Resources.pods, pod("far", node: "edge-2"))
        let controller = EdgeController(api: api, downlink: downlink, clock: HastyClock(), logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            do {
                await controller.synced()
                try await body(controller)
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    private func asking(_ message: EdgeMessage) -> EdgeMessage {
        var message = message
        message.wantsAnswer = true
        return message
    }

    @Test("a new event is created as it is, without labels; a repeated one gets its count; an expired one is made anew")
    func life() async throws {
        try await with { controller in
            #expect(await controller.handle(asking(.createEvent(event())), from: "edge-1")?.answer == .done)
            let stored = try #require(await api.object(Resources.events, key))
            #expect(stored.kind == "Event" && stored.json["reason"] == "Failed" && stored.json["count"] == 1)
            #expect(stored.labels.isEmpty)
            #expect(await controller.handle(asking(.createEvent(event())), from: "edge-1")?.answer == .done, "said twice")

            let patch: JSONValue = ["count": 5, "lastTimestamp": "2026-11-23T12:00:00Z", "message": "m", "reason": "Forged"]
            #expect(await controller.handle(asking(.patchEvent(event(count: 5), patch)), from: "edge-1")?.answer == .done)
            let patched = try #require(await api.object(Resources.events, key))
            #expect(patched.json["count"] == 5 && patched.json["lastTimestamp"] == "2026-11-23T12:00:00Z")
            #expect(patched.json["reason"] == "Failed", "only what repeats may change")

            await api.drop(Resources.events, key)
            #expect(await controller.handle(asking(.patchEvent(event(count: 6), ["count": 6])), from: "edge-1")?.answer == .done)
            #expect(await api.object(Resources.events, key)?.json["count"] == 6)
        }
    }

    @Test("Go edges, which do not wait, get no answer")
    func silence() async throws {
        try await with { controller in
            #expect(await controller.handle(.createEvent(event()), from: "edge-1") == nil)
            #expect(await api.object(Resources.events, key) != nil)
            #expect(await controller.handle(.createEvent(event(host: "edge-2")), from: "edge-1") == nil)
            let update = EdgeMessage.request(
                "update", EdgeObjectPath(namespace: "default", type: "event", name: "web.18a0"), event(count: 9).json)
            #expect(await controller.handle(update, from: "edge-1") == nil)
            #expect(await api.object(Resources.events, key)?.json["count"] == 9)
        }
    }

    @Test("a node tells of itself and of its own pods only")
    func authorization() async throws {
        try await with { controller in
            let allowed = [event(), event("edge-1.1", about: "edge-1", kind: "Node"), event("gone.1", about: "gone")]
            let denied = [
                event(host: "edge-2"), event("far.1", about: "far"), event("edge-2.1", about: "edge-2", kind: "Node"),
                event("other.1"), event("web.2", about: "web", kind: "Service"), event(".1", about: ""),
            ]
            for event in allowed { #expect(await controller.handle(asking(.createEvent(event)), from: "edge-1")?.answer == .done) }
            for event in denied {
                for message in [EdgeMessage.createEvent(event), .patchEvent(event, ["count": 2])] {
                    guard case .failure(let status)? = await controller.handle(asking(message), from: "edge-1")?.answer else {
                        Issue.record("\(event.json.text()) is taken")
                        continue
                    }
                    #expect(status.code == 403)
                }
            }
            var elsewhere = event()
            elsewhere.json["involvedObject"]["namespace"] = "kube-system"
            guard case .failure? = await controller.handle(asking(.createEvent(elsewhere)), from: "edge-1")?.answer else {
                Issue.record("an event outside its pod's namespace is taken")
                return
            }
            #expect(await api.objects(Resources.events).count == allowed.count)
        }
    }

    @Test("a failure of the API is answered, so that the node tries again")
    func failure() async throws {
        try await with { controller in
            await api.fail(.create, Resources.events, with: .serviceUnavailable("away"))
            guard case .failure(let status)? = await controller.handle(asking(.createEvent(event())), from: "edge-1")?.answer else {
                Issue.record("no failure")
                return
            }
            #expect(status.isRetryable)
            #expect(await controller.handle(asking(.createEvent(event())), from: "edge-1")?.answer == .done)
        }
    }
}
