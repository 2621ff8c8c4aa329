import KubeMachinery
import Primitives
import Testing

extension ConformanceTests {
    /// test/e2e/common/node/security_context.go, sysctl.go and privileged.go.
    @Suite struct Security {

        @Test func `users, groups, capabilities and the root file system are what the security context says`() async throws {
            try await ConformanceBed.run { bed in
                try await bed.importImage("kubeedge.local/user:1", settings: ["User": "1234"])
                try await bed.importImage("kubeedge.local/named:1", settings: ["User": "nobody"])
                func pod(_ name: String, _ script: String, _ security: JSONValue, image: String? = nil, pod shared: JSONValue = [:]) -> KubeObject {
                    var container: JSONValue = ["securityContext": security]
                    if let image { container["image"] = .string(image) }
                    return ConformanceBed.pod(name, script, container: container, spec: ["securityContext": shared])
                }
                let good = [
                    pod("uid-65534", "test $(id -u) -eq 65534", ["runAsUser": 65534]), pod("uid-0", "test $(id -u) -eq 0", ["runAsUser": 0]),
                    pod("non-root", "test $(id -u) -eq 1234", ["runAsNonRoot": true, "runAsUser": 1234]),
                    pod("image-user", "test $(id -u) -eq 1234", ["runAsNonRoot": true], image: "kubeedge.local/user:1"),
                    pod("pod-user", "test \"$(id -u) $(id -g)\" = \"1001 2002\"", [:], pod: ["runAsUser": 1001, "runAsGroup": 2002]),
                    pod("container-wins", "test $(id -u) -eq 1002", ["runAsUser": 1002], pod: ["runAsUser": 1001]),
                    pod("groups", "id -G | grep -qw 4321 && id -G | grep -qw 6543", [:], pod: ["supplementalGroups": [4321], "fsGroup": 6543]),
                    pod("writable-root", "echo x > /root-file", ["readOnlyRootFilesystem": false]),
                    pod("no-new", "grep -q 'NoNewPrivs:\t1' /proc/self/status", ["allowPrivilegeEscalation": false, "runAsUser": 1000]),
                    pod("new", "grep -q 'NoNewPrivs:\t0' /proc/self/status", ["allowPrivilegeEscalation": true]),
                    pod("dropped", "grep -q 'CapEff:\t0000000000000000' /proc/self/status", ["capabilities": ["drop": ["ALL"]]]),
                    pod("privileged", "test -e /dev/kmsg && mount -t tmpfs none /tmp", ["privileged": true]),
                    pod("unprivileged", "! test -e /dev/kmsg && ! mount -t tmpfs none /tmp", ["privileged": false]),
                ]
                let bad = [
                    (
                        pod("root", "id -u", ["runAsNonRoot": true, "runAsUser": 0]),
                        "container's runAsUser breaks non-root policy (pod: \"root_default("
                    ),
                    (
                        pod("image-root", "id -u", ["runAsNonRoot": true]),
                        "container has runAsNonRoot and image will run as root (pod: \"image-root_default("
                    ),
                    (
                        pod("image-name", "id -u", ["runAsNonRoot": true], image: "kubeedge.local/named:1"),
                        "container has runAsNonRoot and image has non-numeric user (nobody), cannot verify user is non-root (pod: \"image-name_default("
                    ),
                ]
                let readOnly = pod("read-only-root", "echo x > /root-file", ["readOnlyRootFilesystem": true])
                for pod in good + bad.map(\.0) + [readOnly] { await bed.start(pod) }
                for pod in good { try await bed.untilEnded(pod) }
                try await bed.untilEnded(readOnly, "Failed")
                for (pod, message) in bad {
                    try await bed.eventually("\(pod.name) shows why") { await bed.waiting(pod) == "CreateContainerConfigError" }
                    #expect(await bed.container(pod)["state"]["waiting"]["message"].string?.hasPrefix(message) == true)
                }
            }
        }

        @Test func `kernel settings that are safe are made, others refused`() async throws {
            try await ConformanceBed.run { bed in
                func pod(_ name: String, _ script: String, _ sysctl: String, _ value: String) -> KubeObject {
                    ConformanceBed.pod(
                        name, script, spec: ["securityContext": ["sysctls": [["name": .string(sysctl), "value": .string(value)]]]])
                }
                let safe = pod("safe", "cat /proc/sys/kernel/shm_rmid_forced", "kernel.shm_rmid_forced", "1")
                let slashes = pod("slashes", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "net/ipv4/ip_unprivileged_port_start", "81")
                let unsafe = pod("unsafe", "true", "kernel.msgmax", "10000000000")
                await bed.start(safe, slashes, unsafe)
                try await bed.untilEnded(safe)
                #expect(await bed.log(safe) == "1\n")
                try await bed.untilEnded(slashes)
                #expect(await bed.log(slashes) == "81\n")
                try await bed.untilEnded(unsafe, "Failed")
                #expect(await bed.status(unsafe)["reason"] == "SysctlForbidden")
                #expect(await bed.status(unsafe)["message"] == "Pod was rejected: forbidden sysctl: \"kernel.msgmax\" not allowlisted")
                #expect(await bed.status(unsafe)["containerStatuses"].isNull)
            }
        }

        @Test func `host namespaces and a shared process namespace`() async throws {
            try await ConformanceBed.run { bed in
                let shared = ConformanceBed.pod(
                    "shared", "while ! ps | grep -q '[m]arker-process'; do sleep 0.05; done",
                    spec: [
                        "shareProcessNamespace": true,
                        "containers": [
                            ConformanceBed.container("main", "while ! ps | grep -q '[s]leep 4321'; do sleep 0.05; done"),
                            ConformanceBed.container("second", nil, ["command": ["/bin/sleep", "4321"]]),
                        ],
                    ])
                let host = ConformanceBed.pod("host-pid", "test $(ls -d /proc/[0-9]* | wc -l) -gt 3 && readlink /proc/1/exe", spec: ["hostPID": true])
                await bed.start(shared, host)
                try await bed.eventually("the other's process is seen") { await bed.terminated(shared)["exitCode"] == 0 }
                try await bed.eventually("it ends") { !(await bed.terminated(host)).isNull }
            }
        }
    }
}
