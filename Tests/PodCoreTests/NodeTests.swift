import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("the node as the cluster sees it")
struct NodeTests {
    static var facts: MachineFacts {
        var facts = MachineFacts()
        facts.nodeName = "edge-node"
        facts.addresses = ["10.77.0.1"]
        facts.cpuCount = 2
        facts.memory = 24_684_092 << 10
        facts.storage = 264_212_084 << 10
        facts.machineID = "3d12"
        facts.systemUUID = "3d12"
        facts.bootID = "e8dd"
        facts.kernelVersion = "6.18.44"
        facts.osImage = "Debian GNU/Linux 12 (bookworm)"
        facts.architecture = "amd64"
        facts.runtimeVersion = "containerd://1.6.20"
        return facts
    }

    /// As a Go edge registers on such a machine.
    static let registered = #"""
        {"metadata":{"name":"edge-node","creationTimestamp":null,"labels":{"beta.kubernetes.io/arch":"amd64","beta.kubernetes.io/os":"linux",
        "kubernetes.io/arch":"amd64","kubernetes.io/hostname":"edge-node","kubernetes.io/os":"linux","node-role.kubernetes.io/agent":"",
        "node-role.kubernetes.io/edge":""},"annotations":{"volumes.kubernetes.io/controller-managed-attach-detach":"true"}},"spec":{},
        "status":{"capacity":{"cpu":"2","ephemeral-storage":"264212084Ki","hugepages-1Gi":"0","hugepages-2Mi":"0","memory":"24684092Ki","pods":"110"},
        "allocatable":{"cpu":"2","ephemeral-storage":"243497856212","hugepages-1Gi":"0","hugepages-2Mi":"0","memory":"24581692Ki","pods":"110"},
        "conditions":[{"type":"MemoryPressure","status":"False","lastHeartbeatTime":"2026-11-23T11:15:57Z","lastTransitionTime":"2026-11-23T11:15:57Z",
        "reason":"KubeletHasSufficientMemory","message":"kubelet has sufficient memory available"},{"type":"DiskPressure","status":"False",
        "lastHeartbeatTime":"2026-11-23T11:15:57Z","lastTransitionTime":"2026-11-23T11:15:57Z","reason":"KubeletHasNoDiskPressure",
        "message":"kubelet has no disk pressure"},{"type":"PIDPressure","status":"False","lastHeartbeatTime":"2026-11-23T11:15:57Z",
        "lastTransitionTime":"2026-11-23T11:15:57Z","reason":"KubeletHasSufficientPID","message":"kubelet has sufficient PID available"},
        {"type":"Ready","status":"True","lastHeartbeatTime":"2026-11-23T11:15:57Z","lastTransitionTime":"2026-11-23T11:15:57Z","reason":"EdgeReady",
        "message":"edge is posting ready status"}],"addresses":[{"type":"InternalIP","address":"10.77.0.1"},{"type":"Hostname","address":"edge-node"}],
        "daemonEndpoints":{"kubeletEndpoint":{"Port":10350}},"nodeInfo":{"machineID":"3d12","systemUUID":"3d12","bootID":"e8dd",
        "kernelVersion":"6.18.44","osImage":"Debian GNU/Linux 12 (bookworm)","containerRuntimeVersion":"containerd://1.6.20",
        "kubeletVersion":"v1.28.6-kubeedge-v1.17.0","kubeProxyVersion":"v1.28.6-kubeedge-v1.17.0","operatingSystem":"linux","architecture":"amd64"}}}
        """#

    @Test("registration is that of a Go edge on the same machine")
    func registration() throws {
        #expect(NodeReporter().newNode(Self.facts, now: Fixture.at(0)).json == (try Fixture.json(Self.registered)))
    }

    private static func reporter(_ facts: MachineFacts) -> NodeReporter {
        var reporter = NodeReporter()
        reporter.received(reporter.newNode(facts, now: Fixture.at(0)))
        return reporter
    }

    @Test("an unchanged node sends four heartbeats every five minutes")
    func heartbeats() throws {
        var reporter = Self.reporter(Self.facts)
        _ = reporter.statusPatch(Self.facts, now: Fixture.at(1))
        #expect(reporter.statusPatch(Self.facts, now: Fixture.at(299)) == nil)
        let patch = (reporter.statusPatch(Self.facts, now: Fixture.at(301)) ?? .null)
        #expect(
            patch
                == (try Fixture.json(
                    #"""
                    {"status":{"$setElementOrder/conditions":[{"type":"MemoryPressure"},{"type":"DiskPressure"},{"type":"PIDPressure"},{"type":"Ready"}],
                    "conditions":[{"lastHeartbeatTime":"2026-11-23T11:20:58Z","type":"MemoryPressure"},
                    {"lastHeartbeatTime":"2026-11-23T11:20:58Z","type":"DiskPressure"},{"lastHeartbeatTime":"2026-11-23T11:20:58Z","type":"PIDPressure"},
                    {"lastHeartbeatTime":"2026-11-23T11:20:58Z","type":"Ready"}]}}
                    """#)))
    }

    @Test("a change is sent at once, transition times move with the status alone")
    func change() {
        var facts = Self.facts
        facts.problems = ["container runtime is down", "PLEG is not healthy"]
        var reporter = Self.reporter(facts)
        _ = reporter.statusPatch(facts, now: Fixture.at(0))
        let patch = (reporter.statusPatch(Self.facts, now: Fixture.at(10)) ?? .null)["status"]
        #expect(
            patch["conditions"][3] == [
                "lastHeartbeatTime": "2026-11-23T11:16:07Z", "lastTransitionTime": "2026-11-23T11:16:07Z", "message": "edge is posting ready status",
                "reason": "EdgeReady", "status": "True", "type": "Ready",
            ])
        #expect(patch["conditions"][0] == ["lastHeartbeatTime": "2026-11-23T11:16:07Z", "type": "MemoryPressure"])
    }

    @Test("a node that is not ready says why")
    func notReady() {
        var facts = Self.facts
        facts.problems = ["container runtime is down"]
        #expect(NodeStatus.make(facts, now: Fixture.start)["conditions"][3]["message"] == "container runtime is down")
        facts.problems.append("PLEG is not healthy")
        let ready = NodeStatus.make(facts, now: Fixture.start)["conditions"][3]
        #expect(ready["message"] == "[container runtime is down, PLEG is not healthy]")
        #expect(ready["reason"] == "KubeletNotReady" && ready["status"] == "False")
    }

    @Test("new addresses replace the old list")
    func addresses() {
        var reporter = Self.reporter(Self.facts)
        var facts = Self.facts
        facts.addresses = ["10.77.0.2"]
        let patch = (reporter.statusPatch(facts, now: Fixture.at(10)) ?? .null)["status"]
        #expect(
            patch["addresses"] == [
                ["$patch": "replace"], ["type": "InternalIP", "address": "10.77.0.2"], ["type": "Hostname", "address": "edge-node"],
            ])
    }

    @Test("the port that the cloud put in place of the kubelet's stays")
    func tunnelPort() {
        var reporter = Self.reporter(Self.facts)
        var node = reporter.newNode(Self.facts, now: Fixture.at(0))
        node.status["daemonEndpoints"]["kubeletEndpoint"]["Port"] = 10351
        reporter.received(node)
        let patch = reporter.statusPatch(Self.facts, now: Fixture.at(1))
        #expect(patch != nil && patch?["status"]["daemonEndpoints"].isNull == true)
    }

    @Test("conditions and resources of others stay")
    func foreign() throws {
        var reporter = Self.reporter(Self.facts)
        var node = try #require(reporter.node)
        node.status["conditions"] = .array([["type": "NetworkUnavailable", "status": "False"]] + node.status["conditions"].elements)
        node.status["capacity"]["example.com/gpu"] = "1"
        reporter.received(node)
        let patch = (reporter.statusPatch(Self.facts, now: Fixture.at(10)) ?? .null)["status"]
        #expect(patch.member("capacity") == nil)
        #expect(!patch["conditions"].elements.contains { $0["type"] == "NetworkUnavailable" })
    }

    @Test("a failed patch is sent again, a lost node waits for registration")
    func failures() {
        var reporter = Self.reporter(Self.facts)
        #expect(reporter.statusPatch(Self.facts, now: Fixture.at(1)) != nil)
        #expect(reporter.statusPatch(Self.facts, now: Fixture.at(2)) == nil)
        reporter.patchFailed()
        #expect(reporter.statusPatch(Self.facts, now: Fixture.at(3)) != nil)
        reporter.lost()
        #expect(reporter.statusPatch(Self.facts, now: Fixture.at(4)) == nil)
    }

    @Test("labels that are missing are added to a node that exists")
    func reconciliation() throws {
        let reporter = NodeReporter()
        var existing = reporter.newNode(Self.facts, now: Fixture.at(0))
        #expect(reporter.reconciliation(existing, Self.facts) == nil)
        existing.metadata["labels"].removeMember("kubernetes.io/os")
        existing.metadata["labels"]["kubernetes.io/arch"] = "arm64"
        existing.metadata["labels"]["mine"] = "stays"
        #expect(
            reporter.reconciliation(existing, Self.facts) == ["metadata": ["labels": ["kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"]]])
    }

    @Test("reservations, hugepages and thresholds come out of what pods may use")
    func allocatable() {
        var facts = Self.facts
        facts.memory = 1 << 30
        facts.hugepages = ["2Mi": 100 << 20]
        facts.reserved = ResourceAmounts(["cpu": 500, "memory": 100 << 20])
        facts.podsPerCore = 10
        #expect(facts.allocatable["cpu"] == 1500)
        #expect(facts.allocatable["memory"] == (1 << 30) - (300 << 20))
        #expect(facts.allocatable["pods"] == 20)
        #expect(facts.capacity["hugepages-2Mi"] == 100 << 20)
    }

    @Test("the lease names its node and is renewed to the microsecond")
    func lease() throws {
        #expect(NodeLease.new(node: "n", nodeUID: "", now: Fixture.start) == nil)
        var lease = try #require(NodeLease.new(node: "n", nodeUID: "u", now: Fixture.start))
        #expect(
            lease.json.text()
                == #"{"metadata":{"name":"n","namespace":"kube-node-lease","creationTimestamp":null,"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n","uid":"u"}]},"spec":{"holderIdentity":"n","leaseDurationSeconds":40,"renewTime":"2026-11-23T11:15:57.000000Z"}}"#
        )
        lease.resourceVersion = "7"
        let renewed = NodeLease.renewed(lease, node: "n", nodeUID: "u2", now: Fixture.at(10).wall)
        #expect(renewed.resourceVersion == "7" && renewed.spec["renewTime"] == "2026-11-23T11:16:07.000000Z")
        #expect(renewed.metadata["ownerReferences"][0]["uid"] == "u2")
    }

    @Test("T49 a lease that was renewed under a clock a year ahead is renewed on: its time never goes back, for the cluster counts only later ones")
    func leaseOfTheFuture() throws {
        let ahead = try #require(NodeLease.new(node: "n", nodeUID: "u", now: Fixture.start + .seconds(365 * 86400)))
        let right = NodeLease.renewed(ahead, node: "n", nodeUID: "u", now: Fixture.at(10).wall)
        #expect(right.spec["renewTime"] == "2027-11-23T11:15:57.001000Z")
        #expect(NodeLease.renewed(right, node: "n", nodeUID: "u", now: Fixture.at(20).wall).spec["renewTime"] == "2027-11-23T11:15:57.002000Z")
        let later = NodeLease.renewed(right, node: "n", nodeUID: "u", now: Fixture.start + .seconds(2 * 365 * 86400))
        #expect(later.spec["renewTime"] == "2028-11-22T11:15:57.000000Z")
    }
}

@Suite("admission of a pod")
struct AdmissionTests {
    private static func refusal(_ pod: KubeObject, _ others: [KubeObject] = [], node: NodeFacts = Fixture.node) -> String? {
        PodAdmission.refusal(PodView(pod), among: others.map(PodView.init), node: node)?.description
    }

    private static func wants(_ requests: JSONValue) -> KubeObject {
        Fixture.pod(containers: [Fixture.container("main", ["resources": ["requests": requests]])])
    }

    @Test("resources that are not there")
    func resources() {
        #expect(Self.refusal(Self.wants(["cpu": "2"])) == nil)
        #expect(
            Self.refusal(Self.wants(["cpu": "1"]), [Self.wants(["cpu": "1500m"])])
                == "OutOfcpu: Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000")
        #expect(Self.refusal(Self.wants(["memory": "5Gi"]))?.hasPrefix("OutOfmemory: ") == true)
        var node = Fixture.node
        node.maximumPods = 1
        #expect(
            Self.refusal(Fixture.pod(), [Fixture.pod()], node: node)
                == "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 1, capacity: 1")
    }

    @Test("init containers count where they want more than all others together")
    func initContainers() {
        let big = Fixture.container("i", ["resources": ["requests": ["cpu": "3"]]])
        #expect(Self.refusal(Fixture.pod(initContainers: [big]))?.hasPrefix("OutOfcpu") == true)
    }

    @Test(
        "a host port is taken once",
        arguments: [
            (#"{"containerPort":80,"hostPort":80}"#, "NodePorts: Predicate NodePorts failed"), (#"{"containerPort":80,"hostPort":81}"#, nil),
            (#"{"containerPort":80,"hostPort":80,"protocol":"UDP"}"#, nil), (#"{"containerPort":80}"#, nil),
            (#"{"containerPort":80,"hostPort":80,"hostIP":"10.0.0.1"}"#, "NodePorts: Predicate NodePorts failed"),
        ] as [(String, String?)])
    func ports(port: String, expected: String?) throws {
        let taken = Fixture.pod(containers: [Fixture.container("a", ["ports": [["containerPort": 8080, "hostPort": 80]]])])
        let pod = Fixture.pod(containers: [Fixture.container("a", ["ports": [try Fixture.json(port)]])])
        #expect(Self.refusal(pod, [taken]) == expected)
    }

    @Test(
        "placement",
        arguments: [
            (#"{"nodeSelector":{"zone":"a"}}"#, nil), (#"{"nodeSelector":{"zone":"b"}}"#, "NodeAffinity"), (#"{"nodeName":"other"}"#, "NodeName"),
            (#"{"tolerations":[]}"#, "TaintToleration"), (#"{"tolerations":[{"key":"k","operator":"Exists","effect":"NoExecute"}]}"#, nil),
            (#"{"tolerations":[{"key":"k","value":"v"}]}"#, nil), (#"{"tolerations":[{"key":"k","value":"w"}]}"#, "TaintToleration"),
            (#"{"os":{"name":"windows"}}"#, "PodOSNotSupported"),
            (
                #"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"zone","operator":"In","values":["b"]}]},{"matchExpressions":[{"key":"size","operator":"Gt","values":["3"]}]}]}}}}"#,
                nil
            ),
            (
                #"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"zone","operator":"DoesNotExist"}]}]}}}}"#,
                "NodeAffinity"
            ),
        ] as [(String, String?)])
    func placement(spec: String, expected: String?) throws {
        var node = Fixture.node
        node.labels = ["zone": "a", "size": "5"]
        let needsTaint = spec.contains("tolerations")
        if needsTaint { node.taints = [["key": "k", "value": "v", "effect": "NoExecute"], ["key": "z", "effect": "NoSchedule"]] }
        let reason = PodAdmission.refusal(PodView(Fixture.pod(spec: try Fixture.json(spec))), among: [], node: node)?.reason
        #expect(reason == expected)
    }

    @Test(
        "kernel settings",
        arguments: [
            ("kernel.shm_rmid_forced", nil), ("net.ipv4.tcp_syncookies", nil), ("net.core.somaxconn", "SysctlForbidden"),
            ("net/ipv4/tcp_syncookies", nil), ("kernel.msgmax", nil), ("vm.swappiness", "SysctlForbidden"),
        ] as [(String, String?)])
    func sysctls(name: String, expected: String?) {
        var node = Fixture.node
        node.allowedUnsafeSysctls = ["kernel.msg*", "vm.*"]
        let pod = Fixture.pod(spec: ["securityContext": ["sysctls": [["name": .string(name), "value": "1"]]]])
        #expect(PodAdmission.refusal(PodView(pod), among: [], node: node)?.reason == expected)
    }

    @Test("restartable init containers are refused")
    func sidecars() {
        let pod = Fixture.pod(initContainers: [Fixture.container("i", ["restartPolicy": "Always"])])
        #expect(
            PodAdmission.refusal(PodView(pod), among: [], node: Fixture.node)
                == AdmissionRefusal(
                    reason: "InitContainerRestartPolicyForbidden", message: "Init container \"i\" may not have a non-default restartPolicy"))
        var node = Fixture.node
        node.allowsSidecarContainers = true
        #expect(PodAdmission.refusal(PodView(pod), among: [], node: node) == nil)
    }

    @Test(
        "pods for another operating system are refused before anything else",
        arguments: [
            (
                ["kubernetes.io/os": "windows"], [:], "PodOSSelectorNodeLabelDoesNotMatch",
                "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
            ),
            (
                ["kubernetes.io/os": "linux"], ["os": ["name": "windows"]], "PodOSNotSupported",
                "Failed to admit pod as the OS field doesn't match node OS"
            ),
            ([:], ["nodeSelector": ["kubernetes.io/os": "windows"]], "NodeAffinity", "Predicate NodeAffinity failed"),
        ] as [(JSONValue, JSONValue, String, String)])
    func operatingSystem(labels: JSONValue, spec: JSONValue, reason: String, message: String) {
        let big = Fixture.container("main", ["resources": ["requests": ["cpu": "1000"]]])
        var node = Fixture.node
        node.labels["kubernetes.io/os"] = "linux"
        let containers = reason == "NodeAffinity" ? [Fixture.container("main")] : [big]
        let pod = Fixture.pod(containers: containers, spec: spec, metadata: ["labels": labels])
        #expect(PodAdmission.refusal(PodView(pod), among: [], node: node) == AdmissionRefusal(reason: reason, message: message))
    }

    @Test("a sidecar counts beside the containers, and beside init containers that come after it")
    func sidecarRequests() {
        func cpu(_ amount: String, _ more: JSONValue = [:]) -> JSONValue {
            var container = more
            container["resources"] = ["requests": ["cpu": .string(amount)]]
            return container
        }
        let pod = Fixture.pod(
            containers: [Fixture.container("main", cpu("1"))],
            initContainers: [
                Fixture.container("before", cpu("4")), Fixture.container("side", cpu("2", ["restartPolicy": "Always"])),
                Fixture.container("after", cpu("3")),
            ])
        #expect(PodView(pod).effectiveRequests["cpu"] == 5000)
    }
}

@Suite("the hash of a container")
struct ContainerHashTests {
    @Test("the order of members does not count, Go's is used")
    func order() throws {
        let one = try Fixture.json(
            #"{"image":"busybox:1.35","name":"main","resources":{},"env":[{"value":"<1>","name":"A"}],"livenessProbe":{"periodSeconds":5,"httpGet":{"port":80,"path":"/"}}}"#
        )
        let canonical = ContainerHash.canonical(one)
        #expect(
            canonical.text()
                == #"{"name":"main","image":"busybox:1.35","env":[{"name":"A","value":"<1>"}],"resources":{},"livenessProbe":{"httpGet":{"path":"/","port":80},"periodSeconds":5}}"#
        )
        #expect(ContainerHash.text(one) == ContainerHash.text(canonical))
    }

    @Test("the value is FNV-1a over the bytes as Go lists them")
    func value() throws {
        // Worked out apart from this code, from spec/05 §8.5.
        #expect(ContainerHash.text(try Fixture.json(#"{"name":"main","image":"busybox:1.35","resources":{}}"#)) == "4a6246ff")
        #expect(ContainerHash.text(try Fixture.json(#"{"name":"a","image":"b","env":[{"name":"A","value":"<1>"}]}"#)) == "5bfdd59b")
    }

    @Test("any change changes it")
    func change() {
        let before = ContainerHash.text(Fixture.container("main"))
        #expect(before != ContainerHash.text(Fixture.container("main", ["image": "busybox:1.36"])))
        #expect(before != ContainerHash.text(Fixture.container("main", ["tty": true])))
    }
}
