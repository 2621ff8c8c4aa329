import KubeMachinery
import Primitives
import Testing

extension ConformanceTests {
    /// test/e2e/common/node/runtime.go: status, exit and termination messages.
    @Suite struct Runtime {
        @Test func `containers that end show phase, restart count, readiness and state by policy`() async throws {
            try await ConformanceBed.run { bed in
                // Fails, succeeds, then runs on.
                let script = """
                    echo x >> /count/f; count=$(wc -l < /count/f)
                    if [ $count -eq 1 ]; then exit 1; fi
                    if [ $count -eq 2 ]; then exit 0; fi
                    while true; do sleep 1; done
                    """
                let pods = ["Always", "OnFailure", "Never"].map { policy in
                    ConformanceBed.pod(
                        "terminate-\(policy.lowercased())", script, container: ["volumeMounts": [["name": "count", "mountPath": "/count"]]],
                        spec: ["restartPolicy": .string(policy), "volumes": [["name": "count", "emptyDir": [:]]]])
                }
                for pod in pods { await bed.start(pod) }
                try await bed.untilEnded(pods[2], "Failed")
                #expect(await bed.container(pods[2])["restartCount"] == 0)
                #expect(await bed.terminated(pods[2])["reason"] == "Error")
                #expect(await bed.terminated(pods[2])["exitCode"] == 1)
                try await bed.untilEnded(pods[1])
                #expect(await bed.container(pods[1])["restartCount"] == 1)
                #expect(await bed.terminated(pods[1])["reason"] == "Completed")
                #expect(await bed.container(pods[1])["ready"] == false)
                try await bed.eventually("it waits in its back-off") { await bed.waiting(pods[0]) == "CrashLoopBackOff" }
                #expect(await bed.phase(pods[0]) == "Running")
                try await bed.eventually("it runs again") { await bed.container(pods[0])["restartCount"] == 2 }
                try await bed.eventually("it is ready") { await bed.container(pods[0])["ready"] == true }
                let last = await bed.container(pods[0])
                #expect(last["lastState"]["terminated"]["exitCode"] == 0)
                #expect(last["started"] == true)
                // The second restart came ten seconds after the second end, as a kubelet's does.
                let ended = try #require(last["lastState"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init(rfc3339:)))
                let started = try #require(last["state"]["running"]["startedAt"].string.flatMap(Timestamp.init(rfc3339:)))
                #expect((.seconds(9)...(.seconds(13))).contains(started - ended))
            }
        }

        struct Message: Sendable {
            var name: String
            var script: String
            var container: JSONValue
            var phase: String
            var expected: String?
        }

        static let messages = [
            Message(
                name: "path", script: "echo -n DONE > /dev/termination-log",
                container: ["terminationMessagePath": "/dev/termination-log", "securityContext": ["runAsUser": 0]], phase: "Succeeded",
                expected: "DONE"),
            Message(
                name: "non-root", script: "echo -n DONE > /dev/termination-custom-log",
                container: ["terminationMessagePath": "/dev/termination-custom-log", "securityContext": ["runAsUser": 1000]], phase: "Succeeded",
                expected: "DONE"),
            Message(
                name: "log", script: "echo -n DONE; /bin/false", container: ["terminationMessagePolicy": "FallbackToLogsOnError"], phase: "Failed",
                expected: "DONE"),
            Message(
                name: "log-lines", script: "echo one; echo two; exit 3", container: ["terminationMessagePolicy": "FallbackToLogsOnError"],
                phase: "Failed", expected: "one\ntwo\n"),
            Message(
                name: "no-log", script: "echo DONE; /bin/true", container: ["terminationMessagePolicy": "FallbackToLogsOnError"], phase: "Succeeded",
                expected: nil),
            Message(
                name: "file", script: "echo -n OK > /dev/termination-log; echo DONE; /bin/true",
                container: ["terminationMessagePolicy": "FallbackToLogsOnError"], phase: "Succeeded", expected: "OK"),
            Message(
                name: "last-bytes", script: "yes | head -c 5000 > /dev/termination-log; echo -n END >> /dev/termination-log", container: .null,
                phase: "Succeeded", expected: nil),
        ]

        @Test func `termination messages come from the file, or where it may be from the log`() async throws {
            try await ConformanceBed.run { bed in
                let pods = Self.messages.map { ConformanceBed.pod("message-\($0.name)", $0.script, container: $0.container) }
                for pod in pods { await bed.start(pod) }
                for (pod, row) in zip(pods, Self.messages) {
                    try await bed.untilEnded(pod, row.phase)
                    let message = await bed.terminated(pod)["message"].string
                    if row.name == "last-bytes" {
                        #expect(message?.utf8.count == 4096)
                        #expect(message?.hasSuffix("y\nEND") == true)
                    } else {
                        #expect(message == row.expected, "\(row.name)")
                    }
                }
            }
        }

        @Test func `a command that is not there and an image of another user end as users know it`() async throws {
            try await ConformanceBed.run { bed in
                let missing = ConformanceBed.pod("missing", nil, container: ["command": ["/no/such/program"]])
                let killed = ConformanceBed.pod(
                    "oom", "x=$(yes | head -c 100000000); echo $x | wc -c",
                    container: ["resources": ["requests": ["memory": "16Mi"], "limits": ["memory": "16Mi"]]])
                await bed.start(missing, killed)
                try await bed.untilEnded(missing, "Failed")
                #expect(await bed.terminated(missing)["reason"] == "StartError")
                #expect(await bed.terminated(missing)["exitCode"] == 128)
                try await bed.untilEnded(killed, "Failed")
                #expect(await bed.terminated(killed)["reason"] == "OOMKilled")
                #expect(await bed.terminated(killed)["exitCode"] == 137)
            }
        }

        @Test func `command and arguments replace those of the image, one by one`() async throws {
            try await ConformanceBed.run { bed in
                let image = "kubeedge.local/entrypoint:1"
                try await bed.importImage(image, settings: ["Entrypoint": ["/bin/echo", "entry"], "Cmd": ["default"]])
                let rows: [(String, JSONValue, String)] = [
                    ("defaults", [:], "entry default\n"), ("args", ["args": ["other"]], "other\n"),
                    ("command", ["command": ["/bin/echo", "mine"]], "mine\n"), ("both", ["command": ["/bin/echo"], "args": ["a", "b"]], "a b\n"),
                ]
                let pods = rows.map { name, more, _ in
                    var container = more
                    container["image"] = .string(image)
                    return ConformanceBed.pod("command-\(name)", nil, container: container)
                }
                for pod in pods { await bed.start(pod) }
                for (pod, row) in zip(pods, rows) {
                    try await bed.untilEnded(pod)
                    #expect(await bed.log(pod).hasSuffix(row.2), "\(row.0)")
                }
            }
        }
    }

    /// test/e2e/common/node/init_container.go.
    @Suite struct InitContainers {
        @Test func `init containers run in order before the others, and fail the pod or try again by policy`() async throws {
            try await ConformanceBed.run { bed in
                func pod(_ name: String, _ policy: String, _ first: String, _ second: String, _ main: String?) -> KubeObject {
                    ConformanceBed.pod(
                        name, main,
                        spec: [
                            "restartPolicy": .string(policy),
                            "initContainers": [ConformanceBed.container("init1", first), ConformanceBed.container("init2", second)],
                        ])
                }
                let never = pod("init-never", "Never", "true", "true", "true")
                let always = pod("init-always", "Always", "true", "true", nil)
                let failing = pod("init-fails-always", "Always", "false", "true", nil)
                let failed = pod("init-fails-never", "Never", "true", "false", nil)
                let retried = pod("init-retried", "OnFailure", "true", "test -e /host/once || { touch /host/once; exit 1; }", "true")
                var shared = retried
                shared.spec["initContainers"][1]["volumeMounts"] = [["name": "host", "mountPath": "/host"]]
                shared.spec["volumes"] = [["name": "host", "emptyDir": [:]]]
                let onFailure = shared
                await bed.start(never, always, failing, failed, onFailure)

                try await bed.untilEnded(never)
                try await bed.untilRunning(always)
                for pod in [never, always] {
                    #expect(await bed.condition(pod, "Initialized")["status"] == "True")
                    for name in ["init1", "init2"] {
                        #expect(await bed.container(pod, name)["ready"] == true)
                        #expect(await bed.terminated(pod, name)["exitCode"] == 0)
                    }
                }

                try await bed.untilEnded(failed, "Failed")
                #expect(await bed.waiting(failed) == "PodInitializing", "the container never ran")
                #expect(await bed.terminated(failed, "init2")["exitCode"] == 1)
                #expect(await bed.condition(failed, "Initialized")["message"] == "containers with incomplete status: [init2]")

                try await bed.untilEnded(onFailure)
                #expect(await bed.container(onFailure, "init2")["restartCount"] == 1)

                try await bed.eventually("init1 is tried again and again") { (await bed.container(failing, "init1")["restartCount"].int ?? 0) >= 2 }
                #expect(await bed.phase(failing) == "Pending")
                #expect(await bed.waiting(failing) == "PodInitializing")
                #expect(await bed.waiting(failing, "init2") == "PodInitializing")
                #expect(await bed.container(failing, "init1")["lastState"]["terminated"]["exitCode"] == 1)
                let initialized = await bed.condition(failing, "Initialized")
                #expect(initialized["status"] == "False")
                #expect(initialized["reason"] == "ContainersNotInitialized")
                #expect(initialized["message"] == "containers with incomplete status: [init1 init2]")
            }
        }

        @Test func `a sidecar runs before and beside the containers where the gate asks for it`() async throws {
            try await ConformanceBed.run({ $0.allowsSidecarContainers = true }) { bed in
                let side = ConformanceBed.container(
                    "side", "echo up > /shared/side; httpd -f -p 8080 -h /shared",
                    [
                        "restartPolicy": "Always", "volumeMounts": [["name": "shared", "mountPath": "/shared"]],
                        "startupProbe": ["exec": ["command": ["test", "-e", "/shared/side"]], "periodSeconds": 1],
                    ])
                let pod = ConformanceBed.pod(
                    "sidecar", "test $(wget -q -O - http://127.0.0.1:8080/side) = up",
                    spec: [
                        "initContainers": [side, ConformanceBed.container("setup", "wget -q -O - http://127.0.0.1:8080/side")],
                        "volumes": [["name": "shared", "emptyDir": [:]]],
                    ])
                await bed.start(pod)
                try await bed.untilEnded(pod)
                #expect(await bed.container(pod, "side")["restartCount"] == 0)
            }
        }
    }
}
