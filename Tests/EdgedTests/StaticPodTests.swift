import EdgeTesting
import Glibc
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

extension KubeletBed {
    fileprivate func manifest(_ name: String, _ text: String) throws {
        try OwnDirectory(configuration.staticPodPath).makeDirectory()
        try HostFiles.write(Array(text.utf8), to: "\(configuration.staticPodPath)/.\(name)")
        guard rename("\(configuration.staticPodPath)/.\(name)", "\(configuration.staticPodPath)/\(name)") == 0 else {
            throw EdgedFailure.last("rename", name)
        }
    }

    fileprivate func removeManifest(_ name: String) { unlink("\(configuration.staticPodPath)/\(name)") }

    /// The pods that the fake cluster has of that name.
    fileprivate func mirror(_ name: String) async -> KubeObject? { await backend.allPods.first { $0.name == name } }
}

private func yaml(_ name: String, image: String = "busybox:1", more: String = "") -> String {
    """
    apiVersion: v1
    kind: Pod
    metadata:
      name: \(name)
    spec:
      containers:
        - name: \(name)-main
          image: \(image)
    \(more)
    """
}

/// A source that expectations can ask.
private final class Reading {
    private var source: StaticPodSource
    init(_ path: String) { source = StaticPodSource(path: path, node: "n", interval: .seconds(20)) }
    var isKnown: Bool { source.isKnown }
    func look(now: Duration) -> StaticPodSource.Change? { source.look(now: now) }
}

@Suite struct StaticPodTests {
    @Test func `a file becomes a pod with a mirror that shows its status, and both go with the file`() async throws {
        try await withKubelet { bed in
            await bed.backend.start([])
            try bed.manifest("web.yaml", yaml("web"))
            try await bed.eventually("it runs") { await bed.runtime.runningContainers == ["web-main"] }
            try await bed.eventually("its mirror shows it") {
                await bed.mirror("web-edge-1")?.status["phase"] == "Running"
            }
            let mirror = try #require(await bed.mirror("web-edge-1"))
            let hash = mirror.annotations["kubernetes.io/config.mirror"]
            #expect(hash?.utf8.count == 32 && mirror.uid != hash)
            #expect(mirror.metadata["ownerReferences"][0]["uid"].string?.hasPrefix("node-uid-") == true)
            #expect(mirror.status["podIP"].string?.isEmpty == false)
            let plan = try #require(await bed.runtime.plan(ofContainer: "web-main"))
            #expect(plan.labels["io.kubernetes.pod.uid"] == hash, "the container bears the UID of the file's pod")

            bed.removeManifest("web.yaml")
            try await bed.eventually("it is gone", within: .seconds(60)) { await bed.runtime.containerCount == 0 }
            try await bed.eventually("and its mirror") { await bed.mirror("web-edge-1") == nil }
        }
    }

    @Test func `it runs without a cluster, and comes back after a reboot, with the same UID`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        await bed.backend.fail("createNode", .serviceUnavailable("away"))
        await bed.backend.fail("node", .serviceUnavailable("away"))
        await bed.backend.fail("createPod", .serviceUnavailable("away"))
        try bed.manifest(
            "web.json", #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"web-main","image":"b:1"}]}}"#)
        try await bed.running {
            await bed.backend.start([])
            try await bed.eventually("it runs") { await bed.runtime.runningContainers == ["web-main"] }
        }
        let uid = await bed.runtime.plan(ofContainer: "web-main")?.labels["io.kubernetes.pod.uid"]
        try await bed.running {
            await bed.pass(.seconds(10))
            #expect(await bed.runtime.calls(of: "startContainer").count == 1, "a restart of the agent starts nothing")
        }
        await bed.runtime.reboot()
        try await bed.running {
            try await bed.eventually("it runs again") { await bed.runtime.runningContainers == ["web-main"] }
        }
        #expect(await bed.runtime.plan(ofContainer: "web-main")?.labels["io.kubernetes.pod.uid"] == uid)
        #expect(await bed.runtime.plan(ofContainer: "web-main")?.attempt == 1)
    }

    @Test func `no list of the cluster ends it, and a mirror that somebody deletes comes back without a restart`() async throws {
        try await withKubelet { bed in
            await bed.backend.start([])
            try bed.manifest("web.yaml", yaml("web"))
            try await bed.eventually("its mirror shows it") { await bed.mirror("web-edge-1")?.status["phase"] == "Running" }
            let first = try #require(await bed.mirror("web-edge-1"))
            await bed.backend.delete(first.uid, grace: 30)
            try await bed.eventually("another one shows it", within: .seconds(60)) {
                guard let mirror = await bed.mirror("web-edge-1") else { return false }
                return mirror.uid != first.uid && mirror.status["phase"] == "Running"
            }
            await bed.backend.start([makePod("other")])
            await bed.pass(.seconds(5))
            #expect(await bed.runtime.runningContainers.contains("web-main"))
            #expect(await bed.runtime.calls(of: "startContainer").count { $0 == "web-main" } == 1)
            #expect(await bed.runtime.calls(of: "stopContainer").isEmpty)
        }
    }

    @Test func `an edited file ends the earlier pod before the next one starts, and replaces the mirror`() async throws {
        try await withKubelet { bed in
            await bed.backend.start([])
            try bed.manifest("web.yaml", yaml("web"))
            try await bed.eventually("its mirror shows it") { await bed.mirror("web-edge-1")?.status["phase"] == "Running" }
            let first = try #require(await bed.mirror("web-edge-1"))
            try bed.manifest("web.yaml", yaml("web", image: "busybox:2"))
            try await bed.eventually("the new one runs", within: .seconds(90)) {
                let mirror = await bed.mirror("web-edge-1")
                return mirror?.spec["containers"][0]["image"] == "busybox:2" && mirror?.status["phase"] == "Running"
            }
            #expect(await bed.mirror("web-edge-1")?.uid != first.uid)
            let calls = await bed.runtime.calls.filter { ["stopSandbox", "runSandbox"].contains($0.method) }.map(\.method)
            #expect(calls.first == "runSandbox" && calls.last == "runSandbox" && calls.contains("stopSandbox"))
            #expect(await bed.runtime.runningContainers == ["web-main"])
        }
    }

    @Test func `bad files say what is wrong with them and disturb nobody`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        try bed.manifest("web.yaml", yaml("web"))
        try bed.manifest("broken.yaml", "apiVersion: v1\nkind: Pod\n  metadata: {")
        try bed.manifest("image.yaml", yaml("image", image: "\"\""))
        try bed.manifest("double.yaml", yaml("web"))
        try bed.manifest("service.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n")
        try await bed.running {
            await bed.backend.start([])
            try await bed.eventually("the good one runs") { await bed.runtime.runningContainers == ["web-main"] }
            func complaint(_ file: String) -> String? {
                bed.events.all.first { $0.reason == "FailedValidation" && $0.message.contains("/\(file): ") }?.message
            }
            try await bed.eventually("all four are told") {
                ["broken.yaml", "image.yaml", "service.yaml", "web.yaml"].allSatisfy { complaint($0) != nil }
            }
            #expect(complaint("broken.yaml")?.contains("the file is no YAML: line ") == true)
            #expect(complaint("image.yaml")?.contains("spec.containers[0].image: ") == true)
            #expect(complaint("service.yaml")?.hasSuffix("kind: must be Pod") == true)
            #expect(complaint("web.yaml")?.contains("duplicate pod name \"web-edge-1\"") == true, "of two, the first counts")
            let told = bed.events.all.count { $0.reason == "FailedValidation" }
            await bed.pass(.seconds(45))
            #expect(bed.events.all.count { $0.reason == "FailedValidation" } == told, "each is told once")

            bed.removeManifest("double.yaml")
            try await bed.eventually("the other one takes its place", within: .seconds(60)) {
                let starts = await bed.runtime.calls(of: "startContainer").count
                let mirror = await bed.mirror("web-edge-1")
                return mirror?.status["phase"] == "Running" && starts == 2
            }
            try bed.manifest("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: []}\n")
            try await bed.eventually("what turned bad is told") {
                complaint("web.yaml")?.isEmpty == false && bed.events.all.contains { $0.message.contains("runs on") }
            }
            #expect(await bed.runtime.runningContainers == ["web-main"], "and its pod runs on")
        }
    }

    @Test func `a directory that cannot be read ends nothing, a file in place of the directory serves`() throws {
        let name = "manifests-\(UniqueID.next())"
        let parent = try OwnDirectory("/tmp")
        try parent.makeDirectory(name)
        defer { try? parent.remove(name) }
        let folder = "/tmp/\(name)"
        try HostFiles.write(Array(yaml("a").utf8), to: "\(folder)/a.yaml")
        try HostFiles.write(Array(yaml("hidden").utf8), to: "\(folder)/.hidden.yaml")
        let source = Reading(folder)
        #expect(!source.isKnown)
        #expect(source.look(now: .seconds(1))?.pods.map(\.name) == ["a-n"])
        #expect(source.isKnown)
        #expect(source.look(now: .seconds(2))?.pods == nil)
        try HostFiles.write(Array(yaml("b").utf8), to: "\(folder)/b.yaml")
        #expect(source.look(now: .seconds(3))?.pods.map(\.name) == ["a-n", "b-n"], "noticed before the next full read")

        let single = Reading("\(folder)/a.yaml")
        #expect(single.look(now: .seconds(1))?.pods.map(\.name) == ["a-n"])
        try HostFiles.write(Array(yaml("c").utf8), to: "\(folder)/a.yaml")
        #expect(single.look(now: .seconds(2))?.pods.map(\.name) == ["c-n"])

        let elsewhere = Reading(folder + "/none")
        #expect(elsewhere.look(now: .seconds(1))?.pods.isEmpty == true, "no directory, no pods")
        let none = Reading("")
        #expect(none.isKnown && none.look(now: .seconds(1))?.pods == nil)
        let odd = Reading("\(folder)/a.yaml/below")
        #expect(odd.look(now: .seconds(1))?.pods == nil && !odd.isKnown, "what cannot be told is not nothing")
    }
}
