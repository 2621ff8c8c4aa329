import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("plans of sandboxes and containers")
struct PlanTests {
    @Test("a sandbox of a plain pod")
    func sandbox() throws {
        let pod = Fixture.pod(
            containers: [Fixture.container("main", ["ports": [["containerPort": 80], ["containerPort": 53, "protocol": "UDP", "hostPort": 5353]]])],
            spec: [
                "dnsPolicy": "Default",
                "securityContext": ["fsGroup": 7, "supplementalGroups": [8, 9], "sysctls": [["name": "net/core/somaxconn", "value": "1"]]],
            ],
            metadata: ["labels": ["app": "web"], "annotations": ["kubernetes.io/config.source": "api"]])
        let plan = try SandboxPlanner.plan(Fixture.view(pod), attempt: 3, node: Fixture.node)
        #expect(plan.podName == "web" && plan.podNamespace == "shop" && plan.podUID == "7b1f-4c" && plan.attempt == 3)
        #expect(plan.hostname == "web")
        #expect(plan.logDirectory == "/var/log/pods/shop_web_7b1f-4c")
        #expect(
            plan.labels == ["app": "web", "io.kubernetes.pod.name": "web", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": "7b1f-4c"])
        #expect(plan.annotations == ["kubernetes.io/config.source": "api"])
        #expect(plan.cgroupParent == "/kubepods/besteffort/pod7b1f-4c")
        #expect(plan.supplementalGroups == [7, 8, 9])
        #expect(plan.sysctls == ["net.core.somaxconn": "1"])
        #expect(plan.ports.map(\.hostPort) == [0, 5353])
        #expect(plan.ports.map(\.transport) == [.tcp, .udp])
        #expect(plan.namespaces.network == .pod && plan.namespaces.pid == .container && plan.namespaces.ipc == .pod)
        #expect(plan.resources?.cpuShares == 2)
    }

    @Test("a runtime class gives the handler, and what the pod costs besides its containers")
    func runtimeClass() throws {
        let pod = Fixture.view(Fixture.pod(spec: ["runtimeClassName": "kata", "overhead": ["cpu": "250m", "memory": "64Mi"]]))
        #expect(pod.runtimeClassName == "kata")
        let plan = try SandboxPlanner.plan(pod, attempt: 0, runtimeHandler: "kata-clh", node: Fixture.node)
        #expect(plan.runtimeHandler == "kata-clh")
        #expect(plan.overhead?.cpuShares == 256)
        #expect(plan.overhead?.memoryLimit == 64 << 20)
        #expect(plan.resources?.memoryLimit == 0)
        #expect(pod.effectiveRequests["cpu"] == 250)
    }

    @Test("a container with everything that is usual")
    func container() throws {
        let json = Fixture.container(
            "main",
            [
                "command": ["/bin/sh", "-c", "echo $(NAME) $$(NAME) $(NONE)"], "args": ["$(GREETING)"], "workingDir": "/w",
                "env": [["name": "NAME", "value": "edge"], ["name": "GREETING", "value": "hello $(NAME)"]],
                "volumeMounts": [["name": "cm", "mountPath": "/etc/cm"], ["name": "data", "mountPath": "data", "subPath": "logs/a"]],
                "lifecycle": ["preStop": ["exec": ["command": ["true"]]]], "tty": true,
            ])
        let pod = Fixture.view(Fixture.pod(containers: [json]))
        let planner = ContainerPlanner(
            pod: pod, node: Fixture.node, objects: PodObjects(), addresses: ["10.88.0.5"],
            volumes: ["cm": MountedVolume(hostPath: "/v/cm", isReadOnly: true), "data": MountedVolume(hostPath: "/v/data", isReadOnly: false)])
        let blueprint = try planner.blueprint(pod.containers[0], attempt: 2, image: Fixture.image, logToken: "1a2b3c4d")
        let plan = blueprint.plan
        #expect(plan.image == "sha256:90a1" && plan.userImage == "busybox:1.35" && plan.attempt == 2 && plan.logPath == "main/2.log")
        #expect(plan.command == ["/bin/sh", "-c", "echo edge $(NAME) $(NONE)"] && plan.arguments == ["hello edge"])
        #expect(plan.environment.map(\.name) == ["NAME", "GREETING"])
        #expect(plan.mounts.map(\.containerPath) == ["/etc/cm", "/data", "/etc/hosts", "/dev/termination-log"])
        #expect(plan.mounts.map(\.isReadOnly) == [true, false, false, false])
        #expect(
            plan.mounts.map(\.hostPath) == [
                "/v/cm", "/var/lib/edged/pods/7b1f-4c/volume-subpaths/data/main/1", "/var/lib/edged/pods/7b1f-4c/etc-hosts",
                "/var/lib/edged/pods/7b1f-4c/containers/main/1a2b3c4d",
            ])
        #expect(blueprint.subPaths.map(\.subPath) == ["logs/a"] && blueprint.subPaths.first?.volumePath == "/v/data")
        #expect(blueprint.terminationLog == "/var/lib/edged/pods/7b1f-4c/containers/main/1a2b3c4d")
        #expect(plan.labels["io.kubernetes.container.name"] == "main" && plan.labels.count == 4)
        #expect(plan.annotations["io.kubernetes.container.restartCount"] == "2")
        #expect(plan.annotations["io.kubernetes.container.hash"] == ContainerHash.text(json))
        #expect(plan.annotations["io.kubernetes.container.preStopHandler"] == #"{"exec":{"command":["true"]}}"#)
        #expect(plan.annotations["io.kubernetes.pod.terminationGracePeriod"] == "30")
        #expect(plan.tty && !plan.stdin)
        #expect(plan.security.seccomp?.kind == .unconfined && plan.security.maskedPaths.count == 10 && plan.security.readOnlyPaths.count == 5)
        #expect(plan.resources.oomScoreAdjust == 1000)
    }

    @Test(
        "what is wrong with a mount keeps the container waiting",
        arguments: [
            (#"{"name":"gone","mountPath":"/a"}"#, "cannot find volume \"gone\" to mount into container \"main\""),
            (#"{"name":"v","mountPath":"/a","subPath":"../x"}"#, "unable to provision SubPath `../x`: must not contain '..'"),
            (#"{"name":"v","mountPath":"/a","subPathExpr":"$(NONE)"}"#, "failed to expand subPathExpr \"$(NONE)\": missing value for \"NONE\""),
            (
                #"{"name":"v","mountPath":"/a","mountPropagation":"Bidirectional"}"#,
                "Bidirectional mount propagation is available only to privileged containers"
            ),
        ])
    func badMounts(mount: String, message: String) throws {
        let pod = Fixture.view(Fixture.pod(containers: [Fixture.container("main", ["volumeMounts": [try Fixture.json(mount)]])]))
        let planner = ContainerPlanner(
            pod: pod, node: Fixture.node, objects: PodObjects(), addresses: [], volumes: ["v": MountedVolume(hostPath: "/v", isReadOnly: false)])
        #expect(throws: StartFailure.configuration(message)) {
            try planner.blueprint(pod.containers[0], attempt: 0, image: Fixture.image, logToken: "0")
        }
    }

    // MARK: - Resources

    @Test(
        "quality of service",
        arguments: [
            (#"[{}]"#, "BestEffort"), (#"[{"requests":{"cpu":"1"}}]"#, "Burstable"), (#"[{"limits":{"cpu":"1"}}]"#, "Burstable"),
            (#"[{"limits":{"cpu":"1","memory":"1Gi"}}]"#, "Guaranteed"),
            (#"[{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1000m","memory":"1024Mi"}}]"#, "Guaranteed"),
            (#"[{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"500m","memory":"1Gi"}}]"#, "Burstable"),
            (#"[{"limits":{"cpu":"1","memory":"1Gi"}},{}]"#, "Burstable"), (#"[{"requests":{"cpu":"0"}}]"#, "BestEffort"),
        ])
    func quality(resources: String, expected: String) throws {
        let containers = try Fixture.json(resources).elements.enumerated().map { Fixture.container("c\($0.offset)", ["resources": $0.element]) }
        #expect(Fixture.view(Fixture.pod(containers: containers)).qualityOfService.rawValue == expected)
    }

    @Test(
        "shares, quota, memory and kernel score of a container",
        arguments: [
            (#"{}"#, 2, 0, 0, 1000), (#"{"requests":{"cpu":"100m"}}"#, 102, 0, 0, 999), (#"{"limits":{"cpu":"500m"}}"#, 512, 50000, 0, 999),
            (#"{"limits":{"cpu":"1m"}}"#, 2, 1000, 0, 999), (#"{"requests":{"memory":"4Gi"}}"#, 2, 0, 0, 500),
            (#"{"requests":{"memory":"8Gi"}}"#, 2, 0, 0, 3), (#"{"limits":{"cpu":"2","memory":"64Mi"}}"#, 2048, 200_000, 67_108_864, -997),
            (#"{"requests":{"cpu":"1000"}}"#, 262_144, 0, 0, 999),
        ])
    func resources(json: String, shares: Int64, quota: Int64, memory: Int64, score: Int64) throws {
        let pod = Fixture.view(Fixture.pod(containers: [Fixture.container("main", ["resources": try Fixture.json(json)])]))
        let plan = ResourcePlan(pod.containers[0], in: pod, node: Fixture.node)
        #expect(plan.cpuShares == shares && plan.cpuQuota == quota && plan.memoryLimit == memory && plan.oomScoreAdjust == score)
        #expect(plan.cpuPeriod == 100_000)
    }

    @Test("a critical static pod is not killed for memory")
    func criticalScore() {
        let pod = Fixture.view(
            Fixture.pod(spec: ["priorityClassName": "system-node-critical"], metadata: ["annotations": ["kubernetes.io/config.source": "file"]]))
        #expect(ResourcePlan.oomScore(pod.containers[0], in: pod, node: Fixture.node) == -997)
    }

    @Test("cgroups with systemd are slices")
    func slices() {
        var node = Fixture.node
        node.usesSystemdCgroups = true
        #expect(Fixture.view(Fixture.pod()).cgroupParent(node) == "kubepods-besteffort-pod7b1f_4c.slice")
    }

    // MARK: - Security

    @Test(
        "users that may not run",
        arguments: [
            (#"{"runAsNonRoot":true}"#, nil, "", "container has runAsNonRoot and image will run as root"),
            (#"{"runAsNonRoot":true}"#, 0, "", "container has runAsNonRoot and image will run as root"),
            (#"{"runAsNonRoot":true,"runAsUser":0}"#, 5, "", "container's runAsUser breaks non-root policy"),
            (
                #"{"runAsNonRoot":true}"#, nil, "www",
                "container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root"
            ),
        ] as [(String, Int64?, String, String)])
    func nonRoot(context: String, user: Int64?, name: String, message: String) throws {
        let pod = Fixture.view(Fixture.pod(containers: [Fixture.container("main", ["securityContext": try Fixture.json(context)])]))
        let image = ImageState(id: "i", tags: [], digests: [], size: 0, user: user, userName: name, isPinned: false)
        #expect(throws: StartFailure.configuration("\(message) (pod: \"web_shop(7b1f-4c)\", container: main)")) {
            try ContainerSecurityPlan(pod.containers[0], in: pod, image: image, node: Fixture.node, target: nil)
        }
    }

    @Test("the container's own security context wins over the pod's")
    func security() throws {
        let own: JSONValue = [
            "runAsUser": 5, "capabilities": ["add": ["NET_ADMIN"], "drop": ["ALL"]], "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "seccompProfile": ["type": "Localhost", "localhostProfile": "p.json"], "procMount": "Unmasked",
        ]
        let pod = Fixture.view(
            Fixture.pod(
                containers: [Fixture.container("main", ["securityContext": own]), Fixture.container("other")],
                spec: ["securityContext": ["runAsUser": 4, "runAsGroup": 6], "shareProcessNamespace": true],
                metadata: ["annotations": ["container.apparmor.security.beta.kubernetes.io/main": "localhost/strict"]]))
        let plan = try ContainerSecurityPlan(pod.containers[0], in: pod, image: Fixture.image, node: Fixture.node, target: nil)
        #expect(plan.runAsUser == 5 && plan.runAsGroup == 6 && plan.noNewPrivileges && plan.hasReadOnlyRoot)
        #expect(plan.addedCapabilities == ["NET_ADMIN"] && plan.droppedCapabilities == ["ALL"])
        #expect(plan.seccomp == SecurityProfilePlan(kind: .localhost, localhostReference: "/var/lib/edged/seccomp/p.json"))
        #expect(plan.appArmor == SecurityProfilePlan(kind: .localhost, localhostReference: "strict"))
        #expect(plan.maskedPaths.isEmpty && plan.readOnlyPaths.isEmpty)
        #expect(plan.namespaces.pid == .pod)
        let other = try ContainerSecurityPlan(pod.containers[1], in: pod, image: Fixture.image, node: Fixture.node, target: nil)
        #expect(other.runAsUser == 4 && !other.noNewPrivileges)
    }
}
