import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct NodeTests {
    @Test func `the node is registered ready, then leased, and says nothing while nothing changes`() async throws {
        try await withKubelet { bed in
            await bed.backend.start()
            try await bed.eventually("it is leased") { await bed.backend.currentLease != nil }
            let node = try #require(await bed.backend.currentNode)
            #expect(node.labels["node-role.kubernetes.io/edge"] == "")
            let ready = node.status["conditions"].elements.first { $0["type"] == "Ready" }
            #expect(ready?["status"] == "True" && ready?["reason"] == "EdgeReady")
            #expect(node.status["nodeInfo"]["containerRuntimeVersion"] == "containerd://1.6.20")
            #expect(node.status["addresses"][0]["address"] == "192.0.2.7")
            let owner = await bed.backend.currentLease?.metadata["ownerReferences"][0]["uid"].string
            #expect(owner == node.uid)
            await bed.pass(.seconds(30))
            let patches = await bed.backend.nodePatches.count
            let renewals = await bed.backend.leaseUpdates
            await bed.pass(.seconds(100))
            #expect(await bed.backend.nodePatches.count == patches)
            #expect((9...11).contains(await bed.backend.leaseUpdates - renewals))
            await bed.pass(.seconds(300))
            #expect(await bed.backend.nodePatches.count == patches + 1)
        }
    }

    @Test(arguments: [false, true])
    func `a node that is deleted in the cluster is registered again with its lease, whoever renews that`(byCloud: Bool) async throws {
        try await withKubelet { bed in
            await bed.backend.setRenewsLease(byCloud)
            await bed.backend.start()
            try await bed.eventually("it is leased") { await bed.backend.currentLease != nil }
            let first = await bed.backend.currentNode?.uid
            await bed.backend.deleteNode()
            try await bed.eventually("it is leased again", within: .seconds(60)) {
                guard let node = await bed.backend.currentNode, let lease = await bed.backend.currentLease else { return false }
                return node.uid != first && lease.metadata["ownerReferences"][0]["uid"].string == node.uid
            }
        }
    }

    @Test func `a node that existed gets the labels it lacks and keeps its own`() async throws {
        try await withKubelet { bed in
            var node = KubeObject(apiVersion: "v1", kind: "Node", name: "edge-1")
            node.uid = "old"
            node.labels = ["place": "roof"]
            await bed.backend.setNode(node)
            await bed.backend.start()
            try await bed.eventually("it is reconciled") {
                let (lease, node) = (await bed.backend.currentLease, await bed.backend.currentNode)
                return lease != nil && node?.labels["node-role.kubernetes.io/agent"] == ""
            }
            #expect(await bed.backend.currentNode?.labels["place"] == "roof")
            #expect(await bed.backend.currentNode?.uid == "old")
        }
    }

    @Test func `pods run while nobody answers to the registration`() async throws {
        try await withKubelet { bed in
            await bed.backend.fail("createNode", .serviceUnavailable("the cloud is away"))
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            #expect(await bed.backend.currentLease == nil)
            await bed.backend.fail("createNode", nil)
            try await bed.eventually("it is registered") { await bed.backend.currentLease != nil }
        }
    }

    @Test func `a node that the cluster has given up while it was away says at once that it is ready, though nothing has changed here`() async throws
    {
        try await withKubelet { bed in
            await bed.backend.start()
            try await bed.eventually("it is leased") { await bed.backend.currentLease != nil }
            await bed.pass(.seconds(30))
            await bed.backend.fail("updateLease", .serviceUnavailable("the cloud is away"))
            await bed.pass(.seconds(60))
            var node = try #require(await bed.backend.currentNode)
            node.json["status"]["conditions"] = .array(
                node.status["conditions"].elements.map { condition in
                    var condition = condition
                    condition["status"] = "Unknown"
                    return condition
                })
            await bed.backend.setNode(node)
            await bed.backend.fail("updateLease", nil)
            try await bed.eventually("it is ready", within: .seconds(15)) {
                await bed.backend.currentNode?.status["conditions"].elements.allSatisfy { $0["status"] != "Unknown" } ?? false
            }
            let ready = await bed.backend.currentNode?.status["conditions"].elements.first { $0["type"] == "Ready" }
            #expect(ready?["status"] == "True")
        }
    }

    @Test func `a lease that the cloud renews is only looked at; where it is not renewed after all the node does so itself`() async throws {
        try await withKubelet { bed in
            await bed.backend.setRenewsLease(true)
            await bed.backend.start()
            try await bed.eventually("it is leased") { await bed.backend.currentLease != nil }
            for round in 0..<12 {
                await bed.backend.renewLease("2026-12-01T00:00:\(round + 10).000000Z")
                await bed.pass(.seconds(10))
            }
            #expect(await bed.backend.leaseUpdates == 0)
            // The cloud says it does, and does not.
            await bed.pass(.seconds(65))
            #expect(await bed.backend.leaseUpdates > 0)
            let renewals = await bed.backend.leaseUpdates
            await bed.backend.setRenewsLease(false)
            await bed.pass(.seconds(60))
            #expect((4...7).contains(await bed.backend.leaseUpdates - renewals))
        }
    }
}
