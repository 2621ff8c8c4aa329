import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("what a pod may do")
struct SecurityTests {
    private static func plan(_ own: String, pod shared: String = "{}", node: NodeFacts = Fixture.node) throws -> ContainerSecurityPlan {
        let pod = Fixture.view(
            Fixture.pod(
                containers: [Fixture.container("main", ["securityContext": try Fixture.json(own)])],
                spec: ["securityContext": try Fixture.json(shared)]))
        return try ContainerSecurityPlan(pod.containers[0], in: pod, image: Fixture.image, node: node, target: nil)
    }

    @Test(
        "the seccomp profile: container before pod before the node's default",
        arguments: [
            (#"{}"#, #"{}"#, false, "unconfined"), (#"{}"#, #"{}"#, true, "runtimeDefault"),
            (#"{}"#, #"{"seccompProfile":{"type":"RuntimeDefault"}}"#, false, "runtimeDefault"),
            (#"{"seccompProfile":{"type":"Unconfined"}}"#, #"{"seccompProfile":{"type":"RuntimeDefault"}}"#, true, "unconfined"),
            (
                #"{"seccompProfile":{"type":"Localhost","localhostProfile":"a/b.json"}}"#, #"{}"#, false,
                "localhost /var/lib/edged/seccomp/a/b.json"
            ),
            (#"{"seccompProfile":{"type":"Localhost"}}"#, #"{}"#, false, "localhostProfile must be set if seccompProfile type is Localhost."),
        ])
    func seccomp(own: String, shared: String, isDefault: Bool, expected: String) throws {
        var node = Fixture.node
        node.usesDefaultSeccompProfile = isDefault
        do {
            let profile = try #require(try Self.plan(own, pod: shared, node: node).seccomp)
            let reference = profile.localhostReference.isEmpty ? "" : " \(profile.localhostReference)"
            #expect("\(profile.kind)\(reference)" == expected)
        } catch let failure as StartFailure {
            #expect(failure == .configuration(expected))
        }
    }

    @Test("users, groups, labels and privileges: the container's own before the pod's")
    func identity() throws {
        let shared = #"{"runAsUser":4,"runAsGroup":6,"fsGroup":7,"supplementalGroups":[8,9],"seLinuxOptions":{"level":"s0:c1","type":"t"}}"#
        let inherited = try Self.plan("{}", pod: shared)
        #expect(inherited.runAsUser == 4 && inherited.runAsGroup == 6 && inherited.supplementalGroups == [7, 8, 9])
        #expect(inherited.seLinux == SELinuxPlan(user: "", role: "", type: "t", level: "s0:c1"))
        #expect(!inherited.noNewPrivileges && !inherited.hasReadOnlyRoot && !inherited.isPrivileged)
        #expect(inherited.maskedPaths.contains("/proc/kcore") && inherited.readOnlyPaths.contains("/proc/sys"))
        let own = try Self.plan(
            #"{"runAsUser":0,"seLinuxOptions":{"user":"u","role":"r"},"allowPrivilegeEscalation":true,"privileged":true,"procMount":"Default"}"#,
            pod: shared)
        #expect(own.runAsUser == 0 && own.isPrivileged && !own.noNewPrivileges)
        #expect(own.seLinux == SELinuxPlan(user: "u", role: "r", type: "", level: ""))
        #expect(own.maskedPaths.count == 10)
        #expect(try Self.plan("{}").seLinux == nil)
    }

    @Test("the sandbox carries the pod's own identity and label")
    func sandbox() throws {
        let pod = Fixture.pod(
            spec: ["securityContext": ["runAsUser": 4, "runAsGroup": 6, "fsGroup": 7, "seLinuxOptions": ["level": "s0:c1"]], "hostPID": true])
        let plan = try SandboxPlanner.plan(Fixture.view(pod), attempt: 0, node: Fixture.node)
        #expect(plan.runAsUser == 4 && plan.runAsGroup == 6 && plan.supplementalGroups == [7])
        #expect(plan.seLinux == SELinuxPlan(user: "", role: "", type: "", level: "s0:c1"))
        #expect(plan.namespaces.pid == .node)
        let group = Fixture.pod(spec: ["securityContext": ["runAsGroup": 6]])
        #expect(try SandboxPlanner.plan(Fixture.view(group), attempt: 0, node: Fixture.node).runAsGroup == nil)
    }

    @Test("a container without a user runs as the image says, and as root where that says nothing")
    func imageUser() throws {
        let pod = Fixture.view(Fixture.pod(containers: [Fixture.container("main", ["securityContext": ["runAsGroup": 6]])]))
        func plan(_ user: Int64?, _ name: String) throws -> ContainerSecurityPlan {
            let image = ImageState(id: "i", tags: [], digests: [], size: 0, user: user, userName: name, isPinned: false)
            return try ContainerSecurityPlan(pod.containers[0], in: pod, image: image, node: Fixture.node, target: nil)
        }
        let (root, named, numbered) = (try plan(nil, ""), try plan(nil, "www"), try plan(5, ""))
        #expect(root.runAsUser == 0 && root.runAsUserName.isEmpty && root.runAsGroup == 6)
        #expect(named.runAsUser == nil && named.runAsUserName == "www" && numbered.runAsUser == 5)
    }

    @Test(
        "namespaces of the host are shared as the pod asks",
        arguments: [
            (#"{}"#, "pod container pod"), (#"{"hostNetwork":true}"#, "node container pod"), (#"{"hostPID":true}"#, "pod node pod"),
            (#"{"hostIPC":true}"#, "pod container node"), (#"{"shareProcessNamespace":true}"#, "pod pod pod"),
            (#"{"hostPID":true,"shareProcessNamespace":true}"#, "pod node pod"),
        ])
    func namespaces(spec: String, expected: String) throws {
        let plan = NamespacePlan(Fixture.view(Fixture.pod(spec: try Fixture.json(spec))))
        #expect("\(plan.network) \(plan.pid) \(plan.ipc)" == expected)
    }

    @Test(
        "kernel settings that a pod may change",
        arguments: [
            ("kernel.shm_rmid_forced", "{}", nil), ("net/ipv4/ip_local_port_range", "{}", nil), ("net.ipv4.ip_local_reserved_ports", "{}", nil),
            ("net.core.somaxconn", "{}", "\"net.core.somaxconn\" not allowlisted"), ("kernel.sem", "{}", "\"kernel.sem\" not allowlisted"),
            ("kernel.msgmax", "{}", nil), ("net.ipv4.conf.eth0/1.mtu", "{}", nil), ("vm.swappiness", "{}", "\"vm.swappiness\" not allowlisted"),
            ("kernel.msgmax", #"{"hostIPC":true}"#, "\"kernel.msgmax\" not allowed with host ipc enabled"),
            ("kernel.msgmax", #"{"hostNetwork":true}"#, nil),
            ("net.ipv4.tcp_syncookies", #"{"hostNetwork":true}"#, "\"net.ipv4.tcp_syncookies\" not allowed with host net enabled"),
            ("net.ipv4.tcp_syncookies", #"{"hostIPC":true}"#, nil),
        ] as [(String, String, String?)])
    func sysctls(name: String, spec: String, expected: String?) throws {
        var node = Fixture.node
        node.allowedUnsafeSysctls = ["kernel.msg*", "vm.*", "net.ipv4.conf.eth0/1.mtu"]
        var spec = try Fixture.json(spec)
        spec["securityContext"] = ["sysctls": [["name": .string(name), "value": "1"]]]
        let refusal = PodAdmission.refusalBeforeDevices(Fixture.view(Fixture.pod(spec: spec)), node: node)
        #expect(refusal == expected.map { AdmissionRefusal(reason: "SysctlForbidden", message: "forbidden sysctl: \($0)") })
    }

    @Test(
        "AppArmor profiles that the node cannot enforce",
        arguments: [
            (nil, true, "Pending", nil), ("runtime/default", true, "Pending", nil), ("localhost/strict", true, "", nil),
            ("unconfined", false, "Pending", nil), ("runtime/default", false, "Running", nil),
            ("runtime/default", false, "Pending", "Cannot enforce AppArmor: AppArmor is not enabled on the host"),
            ("strict", true, "Pending", "Cannot enforce AppArmor: invalid AppArmor profile name: \"strict\""),
        ] as [(String?, Bool, String, String?)])
    func appArmor(profile: String?, isEnforced: Bool, phase: String, expected: String?) {
        var node = Fixture.node
        node.enforcesAppArmor = isEnforced
        let annotations = profile.map { ["container.apparmor.security.beta.kubernetes.io/main": $0] } ?? [:]
        let pod = Fixture.view(Fixture.pod(status: ["phase": .string(phase)], metadata: ["annotations": JSONValue(annotations)]))
        #expect(AppArmorRule.blockage(pod, node: node) == expected.map { AdmissionRefusal(reason: "AppArmor", message: $0) })
    }

    @Test("a blocked pod waits and says why, and starts once nothing is in its way")
    func blocked() {
        var lifecycle = PodLifecycle(Fixture.pod())
        lifecycle.block(AdmissionRefusal(reason: "AppArmor", message: "Cannot enforce AppArmor: no"))
        #expect(lifecycle.sync(PodObservation(), now: Fixture.at(0)).isEmpty)
        let status = lifecycle.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(0))
        #expect(status["phase"] == "Pending" && status["reason"] == "AppArmor" && status["message"] == "Cannot enforce AppArmor: no")
        #expect(status["containerStatuses"][0]["state"]["waiting"]["reason"] == "Blocked")
        lifecycle.block(nil)
        #expect(lifecycle.sync(PodObservation(), now: Fixture.at(1)).summary == "sandbox(0) start(main)")
    }

    @Test("options of several lines of a resolver file add up, the last search line counts")
    func resolver() {
        let plan = ResolverPlan(host: "options edns0\nnameserver 1.1.1.1\nsearch a\nsearch b. .\noptions trust-ad\n")
        #expect(plan.options == ["edns0", "trust-ad"] && plan.searches == ["b", "."] && plan.servers == ["1.1.1.1"])
    }
}
