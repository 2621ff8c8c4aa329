import ContainerRuntime
import DevCluster
import EdgeTesting
import Edged
import Glibc
import KubeMachinery
import PodCore
import Primitives
import Testing

/// What a container sees of its security context and its network names, looked at from inside.
@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct SecurityOnContainerdTests {
    private static let sleep = "trap 'exit 0' TERM; while true; do sleep 0.05; done"

    @Test func `users, capabilities, seccomp, kernel settings, masked paths and names are as the pod says`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let kubelet = KubeletOnBed(bed: bed, backend: FakeKubeletBackend()) { configuration in
                configuration.clusterDNS = ["10.96.0.10"]
                configuration.allowedUnsafeSysctls = ["net.core.somaxconn"]
            }
            try HostFile.makeDirectory(bed.directory + "/edged/seccomp")
            let noLinks = #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["readlink","readlinkat"],"action":"SCMP_ACT_ERRNO"}]}"#
            try HostFile.write(Array(noLinks.utf8), to: bed.directory + "/edged/seccomp/no-links.json")
            let strict: JSONValue = [
                "securityContext": [
                    "runAsUser": 1234, "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
                    "capabilities": ["drop": ["ALL"]], "seccompProfile": ["type": "Localhost", "localhostProfile": "no-links.json"],
                ]
            ]
            let able: JSONValue = ["securityContext": ["capabilities": ["add": ["NET_ADMIN"], "drop": ["CHOWN"]]]]
            let privileged: JSONValue = ["securityContext": ["privileged": true]]
            var pod = KubeletOnBed.pod("web", [("strict", Self.sleep, strict), ("able", Self.sleep, able), ("privileged", Self.sleep, privileged)])
            pod.spec["securityContext"] = [
                "runAsGroup": 77, "fsGroup": 88, "supplementalGroups": [99], "seccompProfile": ["type": "RuntimeDefault"],
                "sysctls": [["name": "net.ipv4.ip_unprivileged_port_start", "value": "80"], ["name": "net.core.somaxconn", "value": "321"]],
            ]
            pod.spec["hostname"] = "box"
            pod.spec["subdomain"] = "boxes"
            pod.spec["hostAliases"] = [["ip": "192.0.2.9", "hostnames": ["alias", "other"]]]
            pod.spec["dnsConfig"] = ["searches": ["extra.example"], "options": [["name": "timeout", "value": "3"]]]
            pod.spec["shareProcessNamespace"] = true
            let made = pod
            await kubelet.backend.start([made])
            try await kubelet.run {
                try await bed.eventually("it is ready") {
                    await kubelet.status(made)["containerStatuses"].elements.filter { $0["ready"] == true }.count == 3
                }
                func look(_ container: String, _ script: String) async throws -> String { try await kubelet.output(made, in: container, script) }

                #expect(try await look("strict", "id -u; id -g; id -G") == "1234\n77\n77 88 99\n")
                let fields = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '"
                #expect(try await look("strict", fields) == "CapEff: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n")
                #expect(try await look("strict", "readlink /proc/self/exe || echo denied") == "denied\n")
                #expect(try await look("strict", "touch /new; true").contains("Read-only file system"))

                let able = try await look("able", fields)
                let capabilities = UInt64(able.split(separator: "\n").first?.split(separator: " ").last ?? "", radix: 16) ?? 0
                #expect(capabilities & (1 << 12) != 0 && capabilities & 1 == 0 && capabilities & (1 << 7) != 0)
                #expect(able.hasSuffix("NoNewPrivs: 0\nSeccomp: 2\n"))
                #expect(try await look("able", "readlink /proc/self/exe || echo denied") == "/bin/busybox\n")
                #expect(try await look("able", "cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_unprivileged_port_start") == "321\n80\n")
                #expect(try await look("able", "echo 1 > /proc/sys/net/core/somaxconn; true").contains("Read-only file system"))
                #expect(try await look("able", "cat /proc/keys /proc/timer_list 2> /dev/null | wc -c; ls /sys/firmware | wc -l") == "0\n0\n")

                let all = try await look("privileged", fields)
                #expect(all.hasSuffix("Seccomp: 0\n") && !all.contains("CapEff: 0000000000000000"))
                #expect(try await look("privileged", "grep -c ' /proc/sys ' /proc/mounts") == "0\n")

                #expect(try await look("able", "hostname") == "box\n")
                // One process namespace: the shells of the other containers are there. For a moment a shell's new child looks like it.
                try await bed.eventually("the three shells are seen") { try await look("able", "ps | grep -c '[t]rap'") == "3\n" }
                let resolver = try await look("able", "cat /etc/resolv.conf")
                #expect(resolver.hasPrefix("search default.svc.cluster.local svc.cluster.local cluster.local"))
                #expect(resolver.contains("extra.example\nnameserver 10.96.0.10\noptions ndots:5 timeout:3"))
                let address = try #require(await kubelet.status(made)["podIP"].string)
                let hosts = """
                    # Kubernetes-managed hosts file.
                    127.0.0.1\tlocalhost
                    ::1\tlocalhost ip6-localhost ip6-loopback
                    fe00::0\tip6-localnet
                    fe00::0\tip6-mcastprefix
                    fe00::1\tip6-allnodes
                    fe00::2\tip6-allrouters
                    \(address)\tbox.boxes.default.svc.cluster.local\tbox

                    # Entries added by HostAliases.
                    192.0.2.9\talias\tother

                    """
                #expect(try await look("able", "cat /etc/hosts") == hosts)
            }
        }
    }

    @Test func `what the node cannot or must not give is refused or waits, with the reason`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let kubelet = KubeletOnBed(bed: bed, backend: FakeKubeletBackend())
            let root = KubeletOnBed.pod("root", [("main", Self.sleep, ["securityContext": ["runAsNonRoot": true]])])
            var sysctl = KubeletOnBed.pod("sysctl", [("main", Self.sleep, [:])])
            sysctl.spec["securityContext"] = ["sysctls": [["name": "net.core.somaxconn", "value": "1"]]]
            var confined = KubeletOnBed.pod("confined", [("main", Self.sleep, [:])])
            confined.metadata["annotations"] = ["container.apparmor.security.beta.kubernetes.io/main": "bogus"]
            var host = KubeletOnBed.pod("host", [("main", Self.sleep, [:])])
            for name in ["hostNetwork", "hostPID", "hostIPC"] { host.spec[name] = true }
            let (forbidden, blocked, shared) = (sysctl, confined, host)
            await kubelet.backend.start([root, forbidden, blocked, shared])
            try await kubelet.run {
                try await bed.eventually("the user is refused") {
                    await kubelet.container(root)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
                }
                #expect(
                    await kubelet.container(root)["state"]["waiting"]["message"].string?.hasPrefix(
                        "container has runAsNonRoot and image will run as root (pod: \"root_default(") == true)
                try await bed.eventually("the setting is refused") { await kubelet.status(forbidden)["phase"] == "Failed" }
                #expect(await kubelet.status(forbidden)["reason"] == "SysctlForbidden")
                #expect(await kubelet.status(forbidden)["message"] == "Pod was rejected: forbidden sysctl: \"net.core.somaxconn\" not allowlisted")
                try await bed.eventually("the profile is refused") { await kubelet.status(blocked)["reason"] == "AppArmor" }
                #expect(await kubelet.status(blocked)["phase"] == "Pending")
                #expect(await kubelet.container(blocked)["state"]["waiting"]["reason"] == "Blocked")
                try await bed.eventually("the host's pod runs") { await kubelet.status(shared)["phase"] == "Running" }
                let look = "for n in net pid ipc; do readlink /proc/self/ns/$n; done"
                let inside = try await kubelet.output(shared, look)
                let own = ["net", "pid", "ipc"].map { Self.link("/proc/self/ns/\($0)") + "\n" }.joined()
                #expect(inside == own)
            }
        }
    }

    private static func link(_ path: String) -> String {
        var target = [UInt8](repeating: 0, count: 256)
        let count = target.withUnsafeMutableBytes { bytes in bytes.baseAddress.map { readlink(path, $0, bytes.count) } ?? 0 }
        return String(decoding: target.prefix(max(count, 0)), as: UTF8.self)
    }
}
