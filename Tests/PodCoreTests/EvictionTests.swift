import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("when pods have to go for the node's sake")
struct EvictionTests {
    private static func settings(
        hard: [String: String] = [:], soft: [String: String] = [:], grace: [String: Duration] = [:], reclaim: [String: String] = [:],
        enforces: Bool = false
    ) throws -> EvictionSettings {
        try EvictionSettings(hard: hard, soft: soft, softGrace: grace, minimumReclaim: reclaim, enforcesAllocatable: enforces)
    }

    private static let megabyte: Int64 = 1 << 20
    private static func memory(_ available: Int64) -> EvictionObservations {
        [.memoryAvailable: EvictionObservation(available: available * megabyte, capacity: 1000 * megabyte)]
    }

    // MARK: - Configuration

    @Test(
        "what a configuration says wrong is told",
        arguments: [
            ("memory.free", "1Mi", "unsupported eviction signal memory.free: "),
            ("memory.available", "-5%", "eviction percentage threshold memory.available must be >= 0%: -5%"),
            ("memory.available", "101%", "eviction percentage threshold memory.available must be <= 100%: 101%"),
            ("memory.available", "much", "eviction threshold memory.available is no quantity: much"),
            ("memory.available", "x%", "eviction threshold memory.available is no percentage: x%"),
            ("memory.available", "0", "eviction threshold memory.available must be positive: 0"),
            ("pid.available", "-1", "eviction threshold pid.available must be positive: -1"),
        ])
    func refusals(signal: String, text: String, expected: String) {
        do {
            _ = try Self.settings(hard: [signal: text])
            Issue.record("\(signal) \(text) was taken")
        } catch {
            #expect("\(error)".hasPrefix(expected))
        }
    }

    @Test("a soft threshold needs its grace")
    func softGrace() throws {
        #expect(throws: EvictionSettingsFailure("grace period must be specified for the soft eviction threshold nodefs.available")) {
            _ = try Self.settings(soft: ["nodefs.available": "10%"])
        }
        let settings = try Self.settings(soft: ["nodefs.available": "10%"], grace: ["nodefs.available": .seconds(90)])
        #expect(settings.thresholds.map(\.grace) == [.seconds(90)])
    }

    @Test("nothing and everything are no thresholds, and the limit of all pods follows that of memory")
    func switchedOff() throws {
        let settings = try Self.settings(
            hard: ["nodefs.available": "0%", "imagefs.available": "100%", "memory.available": "5%"], reclaim: ["memory.available": "1%"],
            enforces: true)
        #expect(settings.thresholds.map(\.signal) == [.memoryAvailable, .allocatableMemoryAvailable])
        #expect(settings.thresholds.allSatisfy { $0.amount == .share(0.05) && $0.reclaim == .share(0.01) })
    }

    @Test("the defaults are those of the file")
    func defaults() throws {
        let file = try Self.settings(
            hard: ["memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%", "imagefs.available": "15%"], enforces: true)
        #expect(file == EvictionSettings())
    }

    @Test(
        "what hard thresholds keep back of a capacity",
        arguments: [
            ("100Mi", 1 << 30, 100 << 20), ("10%", 270_553_174_016, 27_055_317_804), ("1G", 1 << 30, 1_000_000_000), ("0%", 1 << 30, 0),
        ] as [(String, Int64, Int64)])
    func keptBack(text: String, capacity: Int64, expected: Int64) throws {
        #expect(try Self.settings(hard: ["nodefs.available": text]).keptBack(.nodeSpace, of: capacity) == expected)
    }

    // MARK: - Conditions

    @Test("a condition comes with the shortage and stays five minutes after it")
    func transition() throws {
        var tracker = PressureTracker(try Self.settings(hard: ["memory.available": "100Mi"]))
        #expect(tracker.observe(Self.memory(100), uptime: .seconds(0)) == PressureAssessment())
        let short = tracker.observe(Self.memory(99), uptime: .seconds(10))
        #expect(short.pressures == [.memory] && short.thresholds.map(\.signal) == [.memoryAvailable])
        let after = tracker.observe(Self.memory(500), uptime: .seconds(20))
        #expect(after.pressures == [.memory] && after.thresholds.isEmpty)
        #expect(tracker.observe(Self.memory(500), uptime: .seconds(309)).pressures == [.memory])
        #expect(tracker.observe(Self.memory(500), uptime: .seconds(310)).pressures.isEmpty)
    }

    @Test("a soft threshold shows its condition at once and acts after its grace, from the start if it was relieved")
    func soft() throws {
        var tracker = PressureTracker(try Self.settings(soft: ["memory.available": "30%"], grace: ["memory.available": .seconds(60)]))
        #expect(tracker.observe(Self.memory(200), uptime: .seconds(0)).pressures == [.memory])
        #expect(tracker.observe(Self.memory(200), uptime: .seconds(59)).thresholds.isEmpty)
        #expect(tracker.observe(Self.memory(400), uptime: .seconds(60)).thresholds.isEmpty)
        #expect(tracker.observe(Self.memory(200), uptime: .seconds(70)).thresholds.isEmpty)
        #expect(tracker.observe(Self.memory(200), uptime: .seconds(130)).thresholds.count == 1)
    }

    @Test("a threshold that was acted on is met until the minimum to reclaim is free as well")
    func minimumReclaim() throws {
        var tracker = PressureTracker(try Self.settings(hard: ["memory.available": "100Mi"], reclaim: ["memory.available": "50Mi"]))
        #expect(tracker.observe(Self.memory(140), uptime: .seconds(0)).thresholds.isEmpty)
        #expect(tracker.observe(Self.memory(90), uptime: .seconds(10)).thresholds.count == 1)
        #expect(tracker.observe(Self.memory(140), uptime: .seconds(20)).thresholds.count == 1)
        #expect(!tracker.isRelieved(Self.memory(140)) && tracker.isRelieved(Self.memory(150)))
        #expect(tracker.observe(Self.memory(150), uptime: .seconds(30)).thresholds.isEmpty)
        #expect(tracker.observe(Self.memory(140), uptime: .seconds(40)).thresholds.isEmpty)
    }

    @Test("memory goes before disk, and what was not measured meets nothing")
    func order() throws {
        var tracker = PressureTracker(
            try Self.settings(hard: ["nodefs.available": "10%", "pid.available": "10", "memory.available": "1Gi", "imagefs.available": "50%"]))
        let disk = EvictionObservation(available: 1, capacity: 100)
        let found = tracker.observe(
            Self.memory(1).merging([.nodeSpace: disk, .processesAvailable: disk]) { $1 }, uptime: .seconds(0))
        #expect(found.thresholds.map(\.signal) == [.memoryAvailable, .nodeSpace, .processesAvailable])
        #expect(found.pressures == [.memory, .disk, .processes])
    }

    // MARK: - Ranking

    private static func candidate(
        _ name: String, request: String? = nil, priority: Int64? = nil, memory: UInt64? = nil, disk: UInt64 = 0, layer: UInt64 = 0,
        processes: UInt64 = 0
    ) -> EvictionCandidate {
        var requests: JSONValue = [:]
        if let request {
            requests["memory"] = .string(request)
            requests["ephemeral-storage"] = .string(request)
        }
        var spec: JSONValue = ["volumes": [["name": "scratch", "emptyDir": [:]]]]
        if let priority { spec["priority"] = .integer(priority) }
        let pod = Fixture.pod(
            containers: [Fixture.container("main", ["resources": ["requests": requests]])], spec: spec, metadata: ["name": .string(name)])
        guard let memory else { return EvictionCandidate(pod: PodView(pod), usage: nil) }
        var usage = PodUsage(key: pod.key, uid: pod.uid)
        usage.memory.workingSet = memory * UInt64(megabyte)
        usage.processes = processes
        var filesystem = FilesystemUsage()
        filesystem.used = disk * UInt64(megabyte)
        usage.volumes = [VolumeUsage(name: "scratch", filesystem: filesystem)]
        var container = ContainerUsage(name: "main", id: "c")
        container.memory.workingSet = memory * UInt64(megabyte)
        filesystem.used = layer * UInt64(megabyte)
        container.layer = filesystem
        filesystem.used = 0
        container.logs = filesystem
        usage.containers = [container]
        return EvictionCandidate(pod: PodView(pod), usage: usage)
    }

    @Test(
        "who goes first",
        arguments: [
            (EvictionSignal.memoryAvailable, false, ["unknown", "over-low", "over-much", "over-little", "over-high", "within-much", "within"]),
            (.nodeSpace, false, ["unknown", "over-low", "over-little", "over-much", "over-high", "within", "within-much"]),
            (.nodeSpace, true, ["unknown", "over-low", "over-much", "over-little", "over-high", "within-much", "within"]),
            (.processesAvailable, false, ["over-low", "within-much", "over-much", "over-little", "within", "unknown", "over-high"]),
        ])
    func ranking(signal: EvictionSignal, hasImages: Bool, expected: [String]) {
        let candidates = [
            Self.candidate("within", request: "100Mi", memory: 50, disk: 40, layer: 10, processes: 1),
            Self.candidate("over-little", request: "10Mi", memory: 20, disk: 20, layer: 90, processes: 2),
            Self.candidate("over-high", priority: 10, memory: 500, disk: 500, processes: 99),
            Self.candidate("over-much", request: "10Mi", memory: 60, disk: 60, processes: 3),
            Self.candidate("unknown"),
            Self.candidate("within-much", request: "100Mi", memory: 90, disk: 45, layer: 1, processes: 40),
            Self.candidate("over-low", priority: -5, memory: 5, disk: 5, processes: 1),
        ]
        let ranked = EvictionRanking.ranked(candidates, for: signal, hasImageFilesystem: hasImages).map(\.pod.name)
        #expect(ranked == expected)
    }

    // MARK: - Messages

    @Test("the message names the threshold, what is left, and the containers that took more than they asked for")
    func message() throws {
        let settings = try Self.settings(hard: ["memory.available": "100Mi"])
        let text = EvictionRanking.message(
            .memoryAvailable, Self.candidate("web", request: "10Mi", memory: 60), thresholds: settings.thresholds, Self.memory(98))
        #expect(
            text == "The node was low on resource: memory. Threshold quantity: 100Mi, available: 98Mi. "
                + "Container main was using 60Mi, request is 10Mi, has larger consumption of memory. ")
    }

    @Test("shares of a disk and requests that were never made")
    func diskMessage() throws {
        let settings = try Self.settings(hard: ["nodefs.available": "10%"])
        let text = EvictionRanking.message(
            .nodeSpace, Self.candidate("web", memory: 1, layer: 3), thresholds: settings.thresholds,
            [.nodeSpace: EvictionObservation(available: 1_234_567, capacity: 100 << 30)])
        #expect(
            text == "The node was low on resource: ephemeral-storage. Threshold quantity: 10737418400, available: 1234567. "
                + "Container main was using 3Mi, request is 0, has larger consumption of ephemeral-storage. ")
    }

    @Test("a shortage of processes names no container")
    func processMessage() throws {
        let settings = try Self.settings(hard: ["pid.available": "1k"])
        let text = EvictionRanking.message(
            .processesAvailable, Self.candidate("web", memory: 1), thresholds: settings.thresholds,
            [.processesAvailable: EvictionObservation(available: 12, capacity: 32768)])
        #expect(text == "The node was low on resource: pids. Threshold quantity: 1k, available: 12. ")
    }
}

@Suite("how much local storage a pod may take")
struct LocalStorageTests {
    private static let limited = #"{"name":"v","emptyDir":{"sizeLimit":"1Mi"}}"#

    @Test(
        "who goes, and why",
        arguments: [
            (limited, #"{}"#, 1 << 20, 0, 0, nil), (limited, #"{}"#, (1 << 20) + 1, 0, 0, #"Usage of EmptyDir volume "v" exceeds the limit "1Mi". "#),
            (
                #"{"name":"v","emptyDir":{"medium":"Memory","sizeLimit":"1024Ki"}}"#, #"{}"#, 2 << 20, 0, 0,
                #"Usage of EmptyDir volume "v" exceeds the limit "1Mi". "#
            ),
            (#"{"name":"v","emptyDir":{"sizeLimit":"0"}}"#, #"{}"#, 9 << 20, 0, 0, nil),
            (#"{"name":"v","emptyDir":{}}"#, #"{"ephemeral-storage":"5Mi"}"#, 0, 3 << 20, 1 << 20, nil),
            (
                #"{"name":"v","emptyDir":{}}"#, #"{"ephemeral-storage":"5Mi"}"#, 3 << 20, 3 << 20, 1 << 20,
                "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. "
            ),
            (
                #"{"name":"v","emptyDir":{}}"#, #"{"ephemeral-storage":"5Mi"}"#, 0, 5 << 20, 1,
                #"Container main exceeded its local ephemeral storage limit "5Mi". "#
            ),
        ] as [(String, String, UInt64, UInt64, UInt64, String?)])
    func violations(volume: String, limits: String, used: UInt64, layer: UInt64, logs: UInt64, expected: String?) throws {
        let limits = try Fixture.json(limits)
        let second = Fixture.container("second", ["resources": ["limits": limits]])
        let pod = Fixture.pod(
            containers: [Fixture.container("main", ["resources": ["limits": limits]]), second], spec: ["volumes": [try Fixture.json(volume)]])
        var usage = PodUsage(key: pod.key, uid: pod.uid)
        func filesystem(_ used: UInt64) -> FilesystemUsage {
            var filesystem = FilesystemUsage()
            filesystem.used = used
            return filesystem
        }
        usage.volumes = [VolumeUsage(name: "v", filesystem: filesystem(used))]
        var container = ContainerUsage(name: "main", id: "c")
        container.layer = filesystem(layer)
        container.logs = filesystem(logs)
        usage.containers = [container]
        usage.ephemeralStorage = filesystem(used * 3 + layer + logs)
        #expect(LocalStorageRule.violation(PodView(pod), usage, hasImageFilesystem: false) == expected)
    }

    @Test("a pod without limits is never measured")
    func applies() throws {
        func applies(_ spec: JSONValue, _ resources: JSONValue = [:]) -> Bool {
            LocalStorageRule.applies(to: PodView(Fixture.pod(containers: [Fixture.container("main", ["resources": resources])], spec: spec)))
        }
        #expect(!applies(["volumes": [["name": "v", "emptyDir": [:]]]]))
        #expect(!applies(["volumes": [["name": "v", "emptyDir": ["medium": "Memory", "sizeLimit": "1Mi"]]]]))
        #expect(applies(["volumes": [try Fixture.json(Self.limited)]]))
        #expect(applies([:], ["limits": ["ephemeral-storage": "1Gi"]]))
    }
}

@Suite("admission under pressure")
struct PressureAdmissionTests {
    @Test(
        "who is taken while the node is short of something",
        arguments: [
            ([NodePressure.memory], #"{}"#, #"{}"#, "Evicted: The node had condition: [MemoryPressure]. "),
            ([.memory], #"{"requests":{"memory":"1Mi"}}"#, #"{}"#, nil),
            ([.memory], #"{}"#, #"{"tolerations":[{"key":"node.kubernetes.io/memory-pressure","operator":"Exists","effect":"NoSchedule"}]}"#, nil),
            ([.memory], #"{}"#, #"{"tolerations":[{"operator":"Exists"}]}"#, nil), ([.memory], #"{}"#, #"{"priority":2000000000}"#, nil),
            ([.disk], #"{"requests":{"memory":"1Mi"}}"#, #"{}"#, "Evicted: The node had condition: [DiskPressure]. "),
            ([.processes], #"{}"#, #"{}"#, "Evicted: The node had condition: [PIDPressure]. "),
            (
                [.memory, .disk], #"{}"#, #"{"tolerations":[{"operator":"Exists"}]}"#,
                "Evicted: The node had condition: [MemoryPressure DiskPressure]. "
            ), ([], #"{}"#, #"{}"#, nil),
        ] as [([NodePressure], String, String, String?)])
    func admission(pressures: [NodePressure], resources: String, spec: String, expected: String?) throws {
        var node = Fixture.node
        node.pressures = pressures
        let pod = Fixture.pod(containers: [Fixture.container("main", ["resources": try Fixture.json(resources)])], spec: try Fixture.json(spec))
        #expect(PodAdmission.refusal(PodView(pod), among: [], node: node)?.description == expected)
    }
}

@Suite("control groups of pods")
struct CgroupTests {
    @Test(
        "names of groups",
        arguments: [
            ("/", false, "/kubepods/burstable/poda-b", "/kubepods/burstable/poda-b"),
            ("/edge/one/", false, "/edge/one/kubepods/burstable/poda-b", "/edge/one/kubepods/burstable/poda-b"),
            (
                "/", true, "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda_b.slice", "kubepods-burstable-poda_b.slice"
            ),
            (
                "/my-edge", true,
                "/my_edge.slice/my_edge-kubepods.slice/my_edge-kubepods-burstable.slice/my_edge-kubepods-burstable-poda_b.slice",
                "my_edge-kubepods-burstable-poda_b.slice"
            ),
        ])
    func names(root: String, usesSystemd: Bool, path: String, parent: String) {
        var node = Fixture.node
        node.cgroupRoot = root
        node.usesSystemdCgroups = usesSystemd
        let container = Fixture.container("main", ["resources": ["requests": ["cpu": "1"]]])
        let pod = PodView(Fixture.pod(containers: [container], metadata: ["uid": "a-b"]))
        #expect(node.path(pod.cgroup(node)) == path)
        #expect(pod.cgroupParent(node) == parent)
    }

    @Test(
        "limits of a pod's group",
        arguments: [
            (#"[{}]"#, "{}", 2, 0, 0), (#"[{"requests":{"cpu":"100m"}},{"requests":{"cpu":"400m"}}]"#, "{}", 512, 0, 0),
            (#"[{"limits":{"cpu":"500m","memory":"64Mi"}},{"limits":{"cpu":"500m","memory":"64Mi"}}]"#, "{}", 1024, 100_000, 128 << 20),
            (#"[{"limits":{"cpu":"500m","memory":"64Mi"}},{"requests":{"cpu":"500m"},"limits":{"memory":"1Mi"}}]"#, "{}", 1024, 0, 65 << 20),
            (#"[{"limits":{"cpu":"500m","memory":"64Mi"}}]"#, #"{"cpu":"250m","memory":"16Mi"}"#, 768, 75_000, 80 << 20),
            (#"[{"limits":{"memory":"64Mi"}}]"#, #"{"cpu":"250m","memory":"16Mi"}"#, 256, 0, 80 << 20),
        ] as [(String, String, Int64, Int64, Int64)])
    func limits(resources: String, overhead: String, shares: Int64, quota: Int64, memory: Int64) throws {
        let containers = try Fixture.json(resources).elements.enumerated().map { Fixture.container("c\($0.offset)", ["resources": $0.element]) }
        let pod = PodView(Fixture.pod(containers: containers, spec: ["overhead": try Fixture.json(overhead)]))
        let plan = ResourcePlan(groupOf: pod, node: Fixture.node)
        #expect(plan.cpuShares == shares && plan.cpuQuota == quota && plan.memoryLimit == memory)
    }

    @Test("an init container without a limit leaves the pod's group without one")
    func initContainers() {
        let limits: JSONValue = ["resources": ["limits": ["cpu": "1", "memory": "64Mi"]]]
        let pod = Fixture.pod(containers: [Fixture.container("main", limits)], initContainers: [Fixture.container("first")])
        let plan = ResourcePlan(groupOf: PodView(pod), node: Fixture.node)
        #expect(plan.cpuQuota == 0 && plan.memoryLimit == 0 && plan.cpuShares == 1024)
    }

    @Test("overhead is the sandbox's and counts where pods are admitted")
    func overhead() throws {
        let pod = PodView(Fixture.pod(spec: ["overhead": ["cpu": "250m", "memory": "120Mi"]]))
        let plan = try SandboxPlanner.plan(pod, attempt: 0, node: Fixture.node)
        #expect(plan.overhead?.memoryLimit == 120 << 20 && plan.overhead?.cpuShares == 256)
        #expect(plan.resources?.memoryLimit == 0)
        #expect(pod.effectiveRequests["cpu"] == 250 && pod.effectiveRequests["memory"] == 120 << 20)
        #expect(try SandboxPlanner.plan(PodView(Fixture.pod()), attempt: 0, node: Fixture.node).overhead == nil)
    }

    @Test(
        "memory of a container is guarded as a whole, and swap is not given",
        arguments: [
            (true, true, 0, ["memory.oom.group": "1", "memory.swap.max": "0"]), (true, false, 0, ["memory.oom.group": "1"]),
            (false, true, 64 << 20, [:]), (false, false, 0, [:]),
        ]
            as [(Bool, Bool, Int64, [String: String])])
    func unified(isVersionTwo: Bool, hasSwap: Bool, swapLimit: Int64, files: [String: String]) {
        var node = Fixture.node
        node.usesCgroupV2 = isVersionTwo
        node.hasSwapController = hasSwap
        let pod = PodView(Fixture.pod(containers: [Fixture.container("main", ["resources": ["limits": ["memory": "64Mi"]]])]))
        let plan = ResourcePlan(pod.containers[0], in: pod, node: node)
        #expect(plan.memorySwapLimit == swapLimit && plan.unified == files)
    }
}

@Suite("processes that the kernel killed")
struct KernelOOMTests {
    @Test(
        "records of the kernel's log",
        arguments: [
            (
                "6,1234,98765,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c1,mems_allowed=0,oom_memcg=/kubepods/podx,task_memcg=/kubepods/podx/c1,task=dd,pid=321,uid=0\n SUBSYSTEM=x\n",
                "dd 321 /kubepods/podx/c1 false"
            ),
            (
                "6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/kubepods/pody,task=stress,pid=42,uid=7",
                "stress 42 /kubepods/pody true"
            ),
            ("3,1,2,-;Memory cgroup out of memory: Killed process 321 (dd)", nil), ("oom-kill:task=dd,pid=1", nil), ("6,1,2,-;oom-kill:task=dd", nil),
        ] as [(String, String?)])
    func records(record: String, expected: String?) {
        let event = KernelOOM(record: record)
        #expect(event.map { "\($0.process) \($0.pid) \($0.cgroup) \($0.isOfSystem)" } == expected)
    }

    @Test("the event names the victim")
    func message() {
        #expect(
            KernelOOM(record: "6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/,task=stress,pid=42,uid=7")?.message
                == "System OOM encountered, victim process: stress, pid: 42")
    }
}

@Suite("room for critical pods")
struct PreemptionTests {
    private static func pod(_ name: String, cpu: String? = nil, memory: String? = nil, priority: Int64? = nil, isGuaranteed: Bool = false)
        -> KubeObject
    {
        var amounts: JSONValue = [:]
        if let cpu { amounts["cpu"] = .string(cpu) }
        if let memory { amounts["memory"] = .string(memory) }
        let resources: JSONValue = isGuaranteed ? ["limits": amounts] : ["requests": amounts]
        var spec: JSONValue = [:]
        if let priority { spec["priority"] = .integer(priority) }
        return Fixture.pod(
            containers: [Fixture.container("main", ["resources": resources])], spec: spec, metadata: ["name": .string(name), "uid": .string(name)])
    }

    private static let system: Int64 = 2_000_000_000
    /// Two cores and four gigabytes are full.
    private static let others = [
        pod("best"), pod("small", cpu: "300m", memory: "512Mi"), pod("large", cpu: "700m", memory: "1Gi"),
        pod("bound", cpu: "500m", memory: "1Gi", isGuaranteed: true), pod("node", cpu: "500m", memory: "1536Mi", priority: system + 1000),
    ]

    @Test(
        "who makes room",
        arguments: [
            (pod("web", cpu: "100m"), nil), (pod("dns", cpu: "100m", priority: system), ["small"]),
            (pod("dns", cpu: "600m", priority: system), ["large"]),
            (pod("dns", cpu: "900m", priority: system), ["large", "small"]), (pod("dns", memory: "1Gi", priority: system), ["large"]),
            (pod("dns", cpu: "1200m", priority: system), ["large", "bound"]), (pod("dns", cpu: "1800m", priority: system), nil),
            (pod("dns", cpu: "1800m", priority: system + 2000), ["large", "small", "bound", "node"]), (pod("dns", cpu: "9", priority: system), nil),
        ] as [(KubeObject, [String]?)])
    func victims(pod: KubeObject, expected: [String]?) {
        let victims = Preemption.victims(for: PodView(pod), among: Self.others.map(PodView.init), node: Fixture.node)
        #expect(victims?.map(\.name).sorted() == expected?.sorted())
    }

    @Test("where there are too many pods the one that asks for nothing goes")
    func count() {
        var node = Fixture.node
        node.maximumPods = 5
        let victims = Preemption.victims(for: PodView(Self.pod("dns", priority: Self.system)), among: Self.others.map(PodView.init), node: node)
        #expect(victims?.map(\.name) == ["best"])
    }

    @Test("no pod goes for one that the node refuses for another reason")
    func otherReasons() {
        var pod = Self.pod("dns", cpu: "100m", priority: Self.system)
        pod.spec["nodeSelector"] = ["zone": "elsewhere"]
        #expect(Preemption.victims(for: PodView(pod), among: Self.others.map(PodView.init), node: Fixture.node) == nil)
    }
}
