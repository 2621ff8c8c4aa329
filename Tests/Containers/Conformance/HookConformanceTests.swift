import DevCluster
import KubeMachinery
import Primitives
import Testing

extension ConformanceTests {
    /// test/e2e/common/node/lifecycle_hook.go and container_probe.go.
    @Suite struct Hooks {
        private static let trap = "trap 'echo term >> /host/order; exit 0' TERM; while true; do sleep 0.05; done"

        private static func hooked(_ name: String, _ bed: ConformanceBed, _ lifecycle: JSONValue, script: String = trap) throws -> KubeObject {
            let folder = bed.containerd.directory + "/host-\(name)"
            try HostFile.makeDirectory(folder)
            return ConformanceBed.pod(
                name, script, container: ["lifecycle": lifecycle, "volumeMounts": [["name": "host", "mountPath": "/host"]]],
                spec: ["volumes": [["name": "host", "hostPath": ["path": .string(folder), "type": "Directory"]]]])
        }

        private static func order(_ pod: KubeObject, _ bed: ConformanceBed) -> String {
            let bytes = try? HostFile.read(bed.containerd.directory + "/host-\(pod.name)/order")
            return String(decoding: bytes ?? [], as: UTF8.self)
        }

        @Test func `hooks run as commands and requests, after the start and before the stop signal`() async throws {
            try await ConformanceBed.run { bed in
                let handler = ConformanceBed.pod("handler", "httpd -f -vvv -p 8080 -h /www")
                await bed.start(handler)
                try await bed.untilRunning(handler)
                let address = try #require(await bed.status(handler)["podIP"].string)
                func get(_ word: String) -> JSONValue {
                    ["httpGet": ["path": .string("/\(word)"), "host": .string(address), "port": 8080]]
                }
                let web = try Self.hooked("web", bed, ["postStart": get("poststart"), "preStop": get("prestop")])
                let shell = try Self.hooked(
                    "shell", bed,
                    [
                        "postStart": ["exec": ["command": ["/bin/sh", "-c", "echo start >> /host/order"]]],
                        "preStop": ["exec": ["command": ["/bin/sh", "-c", "sleep 1; echo stop >> /host/order"]]],
                    ])
                let failing = try Self.hooked("failing", bed, ["postStart": ["exec": ["command": ["/bin/false"]]]])
                var always = failing
                always.spec["restartPolicy"] = "Always"
                let restarted = always
                await bed.start(web, shell, restarted)
                try await bed.untilRunning(web)
                try await bed.eventually("the request came") { await bed.log(handler).contains("url:/poststart") }
                try await bed.untilRunning(shell)
                #expect(Self.order(shell, bed) == "start\n")
                await bed.backend.delete(web.uid, grace: 5)
                await bed.backend.delete(shell.uid, grace: 5)
                try await bed.eventually("the request came") { await bed.log(handler).contains("url:/prestop") }
                try await bed.eventually("both are gone") { Set(await bed.backend.deletedPods) == ["web", "shell"] }
                #expect(Self.order(shell, bed) == "start\nstop\nterm\n")

                try await bed.eventually("the failure shows") {
                    ["PostStartHookError", "CrashLoopBackOff"].contains(await bed.waiting(restarted))
                }
                try await bed.eventually("it is tried again") { (await bed.container(restarted)["restartCount"].int ?? 0) >= 1 }
                #expect(Self.order(restarted, bed).hasPrefix("term\n"), "the container was stopped as any other")
            }
        }

        @Test func `a hook that outlasts the grace does not hold the pod`() async throws {
            try await ConformanceBed.run { bed in
                let pod = try Self.hooked(
                    "slow", bed, ["preStop": ["exec": ["command": ["/bin/sh", "-c", "sleep 60"]]]],
                    script: "trap '' TERM; while true; do sleep 0.1; done")
                await bed.start(pod)
                try await bed.untilRunning(pod)
                let clock = SystemClock()
                let start = clock.now().uptime
                await bed.backend.delete(pod.uid, grace: 2)
                try await bed.eventually("it is gone") { await bed.backend.deletedPods == ["slow"] }
                #expect(clock.now().uptime - start < .seconds(8))
            }
        }

        @Test func `a pod that ends slowly is not ready as soon as its probe says so`() async throws {
            try await ConformanceBed.run { bed in
                let script = "trap 'rm /tmp/ready; sleep 5; exit 0' TERM; touch /tmp/ready; while true; do sleep 0.05; done"
                let probe: JSONValue = ["exec": ["command": ["cat", "/tmp/ready"]], "periodSeconds": 1, "failureThreshold": 1]
                let pod = ConformanceBed.pod(
                    "slow-end", script, container: ["readinessProbe": probe, "livenessProbe": probe],
                    spec: ["restartPolicy": "Always", "terminationGracePeriodSeconds": 20])
                await bed.start(pod)
                try await bed.eventually("it is ready") { await bed.condition(pod, "Ready")["status"] == "True" }
                await bed.backend.delete(pod.uid, grace: 20)
                try await bed.eventually("it is not ready") { await bed.condition(pod, "Ready")["status"] == "False" }
                #expect(await bed.container(pod)["state"]["running"] != .null, "it has not ended yet")
                try await bed.eventually("it is gone") { await bed.backend.deletedPods == ["slow-end"] }
            }
        }

        @Test func `probes restart what fails and make ready what answers`() async throws {
            try await ConformanceBed.run { bed in
                func every(_ more: JSONValue) -> JSONValue {
                    var probe = more
                    probe["periodSeconds"] = 1
                    probe["failureThreshold"] = 1
                    return probe
                }
                let loop = "while true; do sleep 0.1; done"
                let health: JSONValue = ["exec": ["command": ["cat", "/tmp/health"]], "initialDelaySeconds": 1]
                let failing = ConformanceBed.pod(
                    "fails", "touch /tmp/health; sleep 2; rm /tmp/health; " + loop, container: ["livenessProbe": every(health)],
                    spec: ["restartPolicy": "Always", "terminationGracePeriodSeconds": 1])
                let hanging = ConformanceBed.pod(
                    "hangs", loop, container: ["livenessProbe": every(["exec": ["command": ["sleep", "10"]], "timeoutSeconds": 1])],
                    spec: ["restartPolicy": "Always", "terminationGracePeriodSeconds": 1])
                let serving = ConformanceBed.pod(
                    "serves", "httpd -f -p 8080 -h /www",
                    container: [
                        "ports": [["name": "web", "containerPort": 8080]],
                        "livenessProbe": every(["httpGet": ["path": "/index.html", "port": "web"]]),
                        "readinessProbe": every(["tcpSocket": ["port": 8080]]),
                        "startupProbe": every(["httpGet": ["path": "/", "port": 8080]]),
                    ], spec: ["restartPolicy": "Always"])
                let unready = ConformanceBed.pod(
                    "never-ready", loop, container: ["readinessProbe": every(["exec": ["command": ["false"]]])], spec: ["restartPolicy": "Always"])
                await bed.start(failing, hanging, serving, unready)
                try await bed.eventually("the failing one is restarted") { (await bed.container(failing)["restartCount"].int ?? 0) >= 1 }
                try await bed.eventually("the hanging one is restarted") { (await bed.container(hanging)["restartCount"].int ?? 0) >= 1 }
                try await bed.eventually("the serving one is ready") { await bed.condition(serving, "Ready")["status"] == "True" }
                #expect(await bed.container(serving)["restartCount"] == 0)
                #expect(await bed.container(serving)["started"] == true)
                try await bed.untilRunning(unready)
                #expect(await bed.condition(unready, "Ready")["reason"] == "ContainersNotReady")
                #expect(await bed.container(unready)["restartCount"] == 0)
                #expect(await bed.container(unready)["ready"] == false)
            }
        }
    }
}
