import DevCluster
import KubeMachinery
import Primitives
import Testing

extension ConformanceTests {
    /// test/e2e/common/node: pods.go, ephemeral_containers.go, kubelet.go, kubelet_etc_hosts.go, runtimeclass.go; and pod admission.
    @Suite struct Pods {
        @Test func `a pod's spec may change while it runs: deadline, image, gates, ephemeral containers`() async throws {
            try await ConformanceBed.run { bed in
                try await bed.importImage("kubeedge.local/busybox:2", settings: ["Labels": ["version": "2"]])
                let timed = ConformanceBed.pod("timed", spec: ["restartPolicy": "Always"])
                var two: JSONValue = ["restartPolicy": "Always"]
                let script = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
                two["containers"] = [ConformanceBed.container("main", script), ConformanceBed.container("second", script)]
                let updated = ConformanceBed.pod("updated", spec: two)
                let gated = ConformanceBed.pod(
                    "gated", spec: ["readinessGates": [["conditionType": "example.com/a"], ["conditionType": "example.com/b"]]])
                await bed.start(timed, updated, gated)
                for pod in [timed, updated, gated] { try await bed.untilRunning(pod) }

                try await bed.change(timed) { $0.spec["activeDeadlineSeconds"] = 3 }
                try await bed.change(updated) { $0.spec["containers"][0]["image"] = "kubeedge.local/busybox:2" }
                let second = await bed.container(updated, "second")["containerID"]
                try await bed.eventually("it runs the new image") {
                    let container = await bed.container(updated)
                    return container["image"] == "kubeedge.local/busybox:2" && !container["state"]["running"].isNull
                }
                #expect(await bed.container(updated)["restartCount"] == 1)
                #expect(await bed.container(updated, "second")["containerID"] == second)
                #expect(await bed.container(updated, "second")["restartCount"] == 0)

                try await bed.eventually("its gates hold it") { await bed.condition(gated, "Ready")["reason"] == "ReadinessGatesNotReady" }
                #expect(await bed.condition(gated, "ContainersReady")["status"] == "True")
                func gate(_ name: String, _ status: String) async throws {
                    try await bed.change(gated) { pod in
                        let others = pod.status["conditions"].elements.filter { $0["type"].string != "example.com/\(name)" }
                        pod.json["status"]["conditions"] = .array(others + [["type": .string("example.com/\(name)"), "status": .string(status)]])
                    }
                }
                try await gate("a", "True")
                try await bed.eventually("one gate is not enough") {
                    await bed.condition(gated, "Ready")["message"]
                        == "corresponding condition of pod readiness gate \"example.com/b\" does not exist."
                }
                try await gate("b", "True")
                try await bed.eventually("both are") { await bed.condition(gated, "Ready")["status"] == "True" }
                try await gate("a", "False")
                try await bed.eventually("and back") { await bed.condition(gated, "Ready")["status"] == "False" }

                try await bed.change(updated) { pod in
                    pod.spec["ephemeralContainers"] = [
                        ConformanceBed.container("debug", "while true; do echo polo; sleep 1; done", ["targetContainerName": "main"])
                    ]
                }
                try await bed.eventually("the debugger runs") { await bed.isRunning(updated, "debug") }
                try await bed.eventually("it speaks") { await bed.log(updated, "debug").hasPrefix("polo\n") }
                #expect(await bed.container(updated)["restartCount"] == 1, "nothing else was touched")

                try await bed.untilEnded(timed, "Failed")
                #expect(await bed.status(timed)["reason"] == "DeadlineExceeded")
                #expect(await bed.status(timed)["message"] == "Pod was active on the node longer than the specified deadline")
            }
        }

        @Test func `the hosts file is the kubelet's, except where the pod brings its own`() async throws {
            try await ConformanceBed.run { bed in
                let aliases: JSONValue = [["ip": "123.45.67.89", "hostnames": ["foo", "bar"]]]
                let managed = ConformanceBed.pod(
                    "managed", "cat /etc/hosts; hostname", spec: ["hostAliases": aliases, "hostname": "shop", "subdomain": "stores"])
                let own = ConformanceBed.pod(
                    "own", "cat /etc/hosts", container: ["volumeMounts": [["name": "hosts", "mountPath": "/etc/hosts"]]],
                    spec: ["volumes": [["name": "hosts", "hostPath": ["path": "/etc/hosts", "type": "File"]]]])
                let network = ConformanceBed.pod("network", "cat /etc/hosts", spec: ["hostNetwork": true, "hostAliases": aliases])
                await bed.start(managed, own, network)
                for pod in [managed, own, network] { try await bed.untilEnded(pod) }
                let address = await bed.status(managed)["podIP"].string ?? "?"
                let text = await bed.log(managed)
                #expect(text.hasPrefix("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"))
                #expect(text.contains("\n\(address)\tshop.stores.default.svc.cluster.local\tshop\n"))
                #expect(text.hasSuffix("# Entries added by HostAliases.\n123.45.67.89\tfoo\tbar\nshop\n"))
                #expect(!(await bed.log(own)).contains("# Kubernetes-managed hosts file."))
                let hosts = await bed.log(network)
                #expect(!hosts.contains("# Kubernetes-managed hosts file."))
                #expect(hosts.contains("123.45.67.89\tfoo\tbar\n"))
            }
        }

        @Test func `what the node cannot take fails with the kubelet's reason`() async throws {
            try await ConformanceBed.run { bed in
                let rows: [(KubeObject, String)] = [
                    (ConformanceBed.pod("windows", spec: ["os": ["name": "windows"]]), "PodOSNotSupported"),
                    (ConformanceBed.pod("selector", spec: ["nodeSelector": ["nowhere": "x"]]), "NodeAffinity"),
                    (ConformanceBed.pod("big", container: ["resources": ["requests": ["cpu": "9000"]]]), "OutOfcpu"),
                    (
                        ConformanceBed.pod("sidecar", spec: ["initContainers": [ConformanceBed.container("i", "true", ["restartPolicy": "Always"])]]),
                        "InitContainerRestartPolicyForbidden"
                    ),
                ]
                for row in rows { await bed.start(row.0) }
                for (pod, reason) in rows {
                    try await bed.untilEnded(pod, "Failed")
                    #expect(await bed.status(pod)["reason"].string == reason)
                    #expect(await bed.status(pod)["message"].string?.hasPrefix("Pod was rejected: ") == true)
                }
                let sandboxes = try await bed.containerd.runtime.sandboxes(ofPod: nil).count
                #expect(sandboxes == 0)
            }
        }

        @Test func `a runtime class chooses the handler, one that is not configured keeps the pod waiting`() async throws {
            try await ConformanceBed.run { bed in
                await bed.backend.setRuntimeClass("usual", handler: "runc")
                await bed.backend.setRuntimeClass("strange", handler: "unconfigured-handler")
                let usual = ConformanceBed.pod("usual", "true", spec: ["runtimeClassName": "usual"])
                let strange = ConformanceBed.pod("strange", "true", spec: ["runtimeClassName": "strange"])
                let missing = ConformanceBed.pod("missing", "true", spec: ["runtimeClassName": "nowhere"])
                await bed.start(strange, missing, usual)
                try await bed.untilEnded(usual)
                for pod in [strange, missing] {
                    #expect(await bed.phase(pod) == "Pending")
                    #expect(await bed.waiting(pod) == "ContainerCreating")
                }
            }
        }

        @Test func `a deletion gives its grace and no more, and its phase tells how it ended`() async throws {
            try await ConformanceBed.run { bed in
                let polite = ConformanceBed.pod(
                    "polite", "trap 'exit 0' TERM; echo up; while true; do sleep 0.05; done", spec: ["restartPolicy": "Always"])
                let stubborn = ConformanceBed.pod("stubborn", "trap '' TERM; echo up; while true; do sleep 0.05; done")
                await bed.start(polite, stubborn)
                // The first process of a container hears only the signals that it has asked for.
                for pod in [polite, stubborn] { try await bed.eventually("\(pod.name) listens") { await bed.log(pod) == "up\n" } }
                let clock = SystemClock()
                let start = clock.now().uptime
                await bed.backend.delete(polite.uid, grace: 30)
                try await bed.eventually("it is gone") { await bed.backend.deletedPods.contains("polite") }
                #expect(clock.now().uptime - start < .seconds(5))
                let last = await bed.backend.patches.last { $0.pod == "polite" && !$0.patch["status"]["phase"].isNull }
                #expect(last?.patch["status"]["phase"] == "Succeeded")
                await bed.backend.delete(stubborn.uid, grace: 1)
                try await bed.eventually("it is gone too") { await bed.backend.deletedPods.contains("stubborn") }
                let killed = await bed.backend.patches.last { $0.pod == "stubborn" && !$0.patch["status"]["phase"].isNull }
                #expect(killed?.patch["status"]["phase"] == "Failed")
                #expect(killed?.patch["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137)
                try await bed.eventually("nothing is left") { try await bed.containerd.runtime.sandboxes(ofPod: nil).isEmpty }
            }
        }
    }

    /// What happens to the runtime under the kubelet.
    @Suite struct RuntimeRestart {
        @Test func `containerd may be restarted: pods run on, are seen again, and what ended meanwhile is started again`() async throws {
            try await ConformanceBed.run { bed in
                let probe: JSONValue = ["exec": ["command": ["true"]], "periodSeconds": 1]
                let steady = ConformanceBed.pod(
                    "steady", container: ["readinessProbe": probe, "livenessProbe": probe], spec: ["restartPolicy": "Always"])
                let folder = bed.containerd.directory + "/ends"
                try HostFile.makeDirectory(folder)
                let ending = ConformanceBed.pod(
                    "ending", "while ! test -e /ends/now; do sleep 0.05; done; rm /ends/now; exit 3",
                    container: ["volumeMounts": [["name": "ends", "mountPath": "/ends"]]],
                    spec: ["restartPolicy": "Always", "volumes": [["name": "ends", "hostPath": ["path": .string(folder)]]]])
                await bed.start(steady, ending)
                try await bed.eventually("it is ready") { await bed.condition(steady, "Ready")["status"] == "True" }
                try await bed.untilRunning(ending)
                let before = await bed.container(steady)["containerID"]

                await bed.containerd.containerd.kill()
                try HostFile.write([], to: folder + "/now")
                try await bed.eventually("the container has ended") { (try? HostFile.read(folder + "/now")) == nil }
                #expect(await bed.phase(steady) == "Running")
                try await bed.containerd.containerd.start()
                try await bed.eventually("what ended is started again") { await bed.container(ending)["restartCount"] == 1 }
                #expect(await bed.container(ending)["lastState"]["terminated"]["exitCode"] == 3)
                try await bed.untilRunning(ending)
                let fresh = ConformanceBed.pod("fresh", "true")
                await bed.start(fresh)
                try await bed.untilEnded(fresh)
                #expect(await bed.container(steady)["containerID"] == before)
                #expect(await bed.container(steady)["restartCount"] == 0)
                #expect(await bed.condition(steady, "Ready")["status"] == "True")
            }
        }
    }
}
