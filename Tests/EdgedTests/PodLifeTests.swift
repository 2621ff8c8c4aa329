import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct PodLifeTests {
    @Test func `a pod gets a sandbox, its image, its container and a status that says so`() async throws {
        try await withKubelet { bed in
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            #expect(await bed.runtime.calls.map(\.method) == ["runSandbox", "pullImage", "createContainer", "startContainer"])
            let status = await bed.status(pod)
            #expect(status["podIP"].string?.hasPrefix("10.88.0.") == true)
            #expect(status["hostIP"] == "192.0.2.7")
            #expect(status["containerStatuses"][0]["ready"] == true)
            let plan = try #require(await bed.runtime.plan(ofContainer: "web-main"))
            #expect(plan.labels["io.kubernetes.pod.uid"] == "uid-web")
            #expect(plan.logPath == "web-main/0.log")
            let hosts = HostFiles.text(bed.configuration.rootDirectory + "/pods/uid-web/etc-hosts")
            #expect(hosts?.hasPrefix("# Kubernetes-managed hosts file.\n") == true)
            #expect(plan.mounts.contains { $0.containerPath == "/dev/termination-log" && HostFiles.exists($0.hostPath) })
        }
    }

    @Test func `init containers run one by one before the others`() async throws {
        try await withKubelet { bed in
            for name in ["first", "second"] { await bed.runtime.exitAtOnce(name, code: 0) }
            let pod = makePod(
                "web", ["initContainers": [["name": "first", "image": "busybox:1"], ["name": "second", "image": "busybox:1"]]])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            #expect(await bed.runtime.calls(of: "startContainer") == ["first", "second", "web-main"])
        }
    }

    @Test func `a container that ends is started again at once, then waits ten seconds, then twenty`() async throws {
        try await withKubelet { bed in
            await bed.runtime.exitAtOnce("web-main", code: 1)
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("it waits") { await bed.waitingReason(pod) == "CrashLoopBackOff" }
            #expect(await bed.runtime.calls(of: "startContainer").count == 2)
            #expect(
                await bed.status(pod)["containerStatuses"][0]["state"]["waiting"]["message"]
                    == "back-off 10s restarting failed container=web-main pod=web_default(uid-web)")
            await bed.pass(.seconds(12))
            #expect(await bed.runtime.calls(of: "startContainer").count == 3)
            await bed.pass(.seconds(12))
            #expect(await bed.runtime.calls(of: "startContainer").count == 3)
            await bed.pass(.seconds(12))
            #expect(await bed.runtime.calls(of: "startContainer").count == 4)
            // One dead container is kept for the status, no more.
            #expect(await bed.runtime.containerCount <= 2)
        }
    }

    @Test func `a pod that hangs in a pull holds up nobody, and its deletion cuts the pull`() async throws {
        try await withKubelet { bed in
            await bed.runtime.hang("pullImage", "stuck:1")
            let (stuck, other) = (makePod("stuck", container: ["image": "stuck:1"]), makePod("other"))
            await bed.backend.start([stuck, other])
            try await bed.eventually("the other runs") { await bed.phase(other) == "Running" }
            try await bed.eventually("the pull hangs") { await bed.runtime.calls(of: "pullImage").contains("stuck:1") }
            await bed.backend.delete(stuck.uid, grace: 0)
            try await bed.eventually("it is deleted") { await bed.backend.deletedPods == ["stuck"] }
            #expect(await bed.phase(other) == "Running")
        }
    }

    @Test func `a graceful deletion runs the hook, stops, tells the end, deletes and leaves nothing`() async throws {
        try await withKubelet { bed in
            let pod = makePod("web", container: ["lifecycle": ["preStop": ["exec": ["command": ["bye"]]]]])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            await bed.backend.delete(pod.uid, grace: 5)
            try await bed.eventually("it is gone") { await bed.runtime.sandboxCount == 0 }
            let calls = await bed.runtime.calls.map(\.method)
            #expect(Array(calls.drop { $0 != "execute" }.prefix(3)) == ["execute", "stopContainer", "stopSandbox"])
            #expect(await bed.backend.deletedPods == ["web"])
            let last = try #require(await bed.backend.patches.last { !$0.patch["status"]["phase"].isNull })
            #expect(last.patch["status"]["phase"].string.map { ["Failed", "Succeeded"].contains($0) } == true)
            try await bed.eventually("its files are gone") {
                !HostFiles.exists(bed.configuration.rootDirectory + "/pods/uid-web")
                    && !HostFiles.exists(bed.configuration.podLogDirectory + "/default_web_uid-web")
            }
        }
    }

    @Test func `an agent that starts again adopts what runs and touches nothing`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod("web")
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
        let before = await bed.runtime.calls
        try await bed.running { await bed.pass(.seconds(150)) }
        #expect(await bed.runtime.calls == before)
        #expect(await bed.phase(pod) == "Running")
    }

    @Test func `after a reboot without the cloud every pod runs again in a new sandbox`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod("web")
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
        await bed.runtime.reboot()
        for call in ["createNode", "node", "patchNodeStatus", "lease", "createLease", "updateLease"] {
            await bed.backend.fail(call, .serviceUnavailable("the cloud is away"))
        }
        try await bed.running {
            try await bed.eventually("it runs again") { await bed.runtime.runningContainers == ["web-main"] }
        }
        #expect(await bed.runtime.plan(ofContainer: "web-main")?.attempt == 1)
        #expect(await bed.runtime.sandboxPlans.values.map(\.attempt).max() == 1)
    }

    @Test func `what runs without a wish for it is stopped, but never before the wishes are known`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod("old")
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
        let fresh = FakeKubeletBackend(clock: bed.clock)
        let second = bed.with(fresh)
        try await second.running {
            await second.pass(.seconds(30))
            #expect(await bed.runtime.runningContainers == ["old-main"])
            await fresh.start([])
            try await second.eventually("it is gone") { await bed.runtime.sandboxCount == 0 }
            #expect(await fresh.deletedPods.isEmpty)
        }
    }

    @Test func `what unknown pods left on the disk is taken away once the wishes are known`() async throws {
        try await withKubelet { bed in
            let (root, logs) = (try OwnDirectory(bed.configuration.rootDirectory), try OwnDirectory(bed.configuration.podLogDirectory))
            try root.makeDirectory("pods/forgotten/volumes/kubernetes.io~empty-dir/scratch")
            try logs.makeDirectory("default_gone_forgotten/main")
            try logs.makeDirectory("somebody-else")
            await bed.pass(.seconds(5))
            #expect(HostFiles.exists(root.path + "/pods/forgotten"))
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("it is gone") {
                !HostFiles.exists(root.path + "/pods/forgotten") && !HostFiles.exists(logs.path + "/default_gone_forgotten")
            }
            #expect(HostFiles.exists(logs.path + "/somebody-else"))
            try await bed.eventually("the pod runs") { await bed.phase(pod) == "Running" }
        }
    }

    @Test func `a pod that is removed and comes again with another UID runs anew`() async throws {
        try await withKubelet { bed in
            let first = makePod("web")
            await bed.backend.start([first])
            try await bed.eventually("it runs") { await bed.phase(first) == "Running" }
            var second = makePod("web")
            second.uid = "uid-second"
            await bed.backend.remove(first.uid)
            await bed.backend.put(second)
            try await bed.eventually("the second runs") { await bed.phase(second) == "Running" }
            try await bed.eventually("the first is gone") { await bed.runtime.sandboxCount == 1 }
        }
    }

    @Test func `a job that has ended is not started again, not even by a new agent`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod("job", ["restartPolicy": "Never"])
        await bed.runtime.exitAtOnce("job-main", code: 0)
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it has ended") { await bed.phase(pod) == "Succeeded" }
        }
        try await bed.running { await bed.pass(.seconds(20)) }
        #expect(await bed.runtime.calls(of: "startContainer").count == 1)
    }

    @Test func `a pod that the node has no room for is refused and nothing of it is made`() async throws {
        try await withKubelet { bed in
            let pod = makePod("big", container: ["resources": ["requests": ["cpu": "100000"]]])
            await bed.backend.start([pod])
            try await bed.eventually("it is refused") { await bed.phase(pod) == "Failed" }
            #expect(await bed.status(pod)["reason"] == "OutOfcpu")
            #expect(await bed.runtime.calls.isEmpty)
        }
    }
}

extension KubeletBed {
    /// The same machine with another cluster.
    func with(_ backend: FakeKubeletBackend) -> KubeletBed { KubeletBed(self, backend) }
}
