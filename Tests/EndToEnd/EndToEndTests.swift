import DevCluster
import EdgeTesting
import Glibc
import KubeMachinery
import KubeResources
import Primitives
import Testing

/// The real programs with real containers, from `kubeedge up` to `kubeedge down`.
@Suite("A cluster on one machine", .serialized)
struct EndToEndTests {
    @Test("up, pods, configuration, a crash, a reboot without the cloud, the cloud's return, a node that comes back, down")
    func life() async throws { try await MachineTurns.take { try await wholeLife() } }

    private func wholeLife() async throws {
        let cluster = try TestCluster()
        do {
            try await start(cluster)
            try await events(cluster)
            try await pods(cluster)
            let witness = try await configuration(cluster)
            try await staticPod(cluster)
            try await streams(cluster)
            try await agentCrash(cluster, witness)
            try await lostStore(cluster, witness)
            try await rebootWithoutCloud(cluster, witness)
            try await staticPodEnds(cluster)
            try await deletedNode(cluster)
            try await stop(cluster)
        } catch {
            for name in ["edgecore", "cloudcore", "control-plane"] {
                let tail = (try? HostFile.read("\(cluster.folder)/log/\(name).log")).map { String(decoding: $0.suffix(3000), as: UTF8.self) } ?? ""
                print("--- the end of \(name).log\n\(tail)")
            }
            _ = try? await cluster.down()
            throw error
        }
    }

    // MARK: - Chapters

    private func start(_ cluster: TestCluster) async throws {
        let up = try await cluster.up()
        try #require(up.status == 0, "\(up.text)")
        let steps = try up.text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
        #expect(steps.allSatisfy { $0["state"] == "done" && $0["seconds"].double != nil })

        let node = try await cluster.withAPI { try await $0.get(Resources.nodes, ObjectKey(name: "edge-1")) }
        #expect(TestCluster.isReady(node))
        #expect(node.labels["node-role.kubernetes.io/edge"] == "")
        let pod = try #require(try await cluster.pods("app=hello").first)
        #expect(pod.status["phase"] == "Running")
        #expect(pod.status["podIP"].string?.hasPrefix(cluster.podRange) == true)
        #expect(try await cluster.runningContainers().values.contains(pod.name), "the container is in containerd")
        #expect(try await cluster.kubectl("get", "nodes,pods", "-A", "-o", "wide").contains("Ready"))

        let again = try await cluster.up()
        #expect(again.status == 0, "a second up keeps what runs: \(again.text)")
        #expect(again.text.contains("runs already"))
    }

    private func pods(_ cluster: TestCluster) async throws {
        let first = try #require(try await cluster.pods("app=hello").first)
        _ = try await cluster.kubectl("delete", "pod", first.name, "--wait=true")
        try await cluster.until("another pod takes the place of the deleted one") {
            try await cluster.pods("app=hello").contains { $0.uid != first.uid && TestCluster.isReady($0) }
        }
        _ = try await cluster.kubectl("scale", "deployment", "hello", "--replicas=3")
        _ = try await cluster.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
        #expect(try await cluster.pods("app=hello").filter(TestCluster.isReady).count == 3)
        _ = try await cluster.kubectl("scale", "deployment", "hello", "--replicas=1")
        try await cluster.until("two of three pods are gone") {
            let left = try await cluster.withAPI { try await $0.list(Resources.pods, ListQuery(namespace: "default", labelSelector: "app=hello")) }
            let running = try await cluster.runningContainers().values.filter { $0.hasPrefix("hello-") }
            return left.items.count == 1 && running.count == 1
        }
    }

    /// A volume of the node and a claim that is not bound to it yet.
    private func makeClaim(_ cluster: TestCluster) async throws {
        try HostFile.makeDirectory("\(cluster.folder)/disk")
        try HostFile.write(Array("kept".utf8), to: "\(cluster.folder)/disk/state")
        var claim = KubeObject(apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: "default", name: "disk")
        claim.spec = [
            "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Mi"]], "volumeName": "disk-of-edge-1", "storageClassName": "",
        ]
        let object = claim
        let made = try await cluster.withAPI { try await $0.create(Resources.persistentVolumeClaims, object) }
        var volume = KubeObject(apiVersion: "v1", kind: "PersistentVolume", namespace: nil, name: "disk-of-edge-1")
        volume.spec = [
            "capacity": ["storage": "1Mi"], "accessModes": ["ReadWriteOnce"], "local": ["path": .string("\(cluster.folder)/disk")],
            "claimRef": ["kind": "PersistentVolumeClaim", "namespace": "default", "name": "disk", "uid": .string(made.uid)],
            "nodeAffinity": [
                "required": [
                    "nodeSelectorTerms": [
                        ["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": ["edge-1"]]]]
                    ]
                ]
            ],
        ]
        let disk = volume
        _ = try await cluster.withAPI { try await $0.create(Resources.persistentVolumes, disk) }
    }

    /// A pod that shows its configMap, secret, token, disk and environment in its log, again and again.
    private func configuration(_ cluster: TestCluster) async throws -> KubeObject {
        try await makeClaim(cluster)
        _ = try await cluster.kubectl("create", "configmap", "settings", "--from-literal=colour=green")
        _ = try await cluster.kubectl("create", "secret", "generic", "login", "--from-literal=password=open-sesame")
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "witness")
        pod.labels = ["app": "witness"]
        pod.spec = [
            "terminationGracePeriodSeconds": 1, "nodeSelector": ["node-role.kubernetes.io/edge": ""],
            "initContainers": [
                [
                    "name": "first", "image": .string(BusyboxImage.reference), "command": ["sh", "-c", "echo prepared > /work/state"],
                    "volumeMounts": [["name": "work", "mountPath": "/work"]],
                ]
            ],
            "containers": [
                [
                    "name": "main", "image": .string(BusyboxImage.reference),
                    "command": [
                        "sh", "-c",
                        """
                        while true; do
                        echo "state=$(cat /work/state) file=$(cat /etc/settings/colour) env=$COLOUR secret=$(cat /etc/login/password) \
                        disk=$(cat /disk/state) node=$NODE token=$(wc -c < /var/run/secrets/kubernetes.io/serviceaccount/token)"
                        sleep 1; done
                        """,
                    ],
                    "env": [
                        ["name": "COLOUR", "valueFrom": ["configMapKeyRef": ["name": "settings", "key": "colour"]]],
                        ["name": "NODE", "valueFrom": ["fieldRef": ["fieldPath": "spec.nodeName"]]],
                    ],
                    "volumeMounts": [
                        ["name": "work", "mountPath": "/work"], ["name": "settings", "mountPath": "/etc/settings"],
                        ["name": "login", "mountPath": "/etc/login"], ["name": "disk", "mountPath": "/disk"],
                    ],
                ]
            ],
            "volumes": [
                ["name": "work", "emptyDir": [:]], ["name": "settings", "configMap": ["name": "settings"]],
                ["name": "login", "secret": ["secretName": "login"]],
                ["name": "disk", "persistentVolumeClaim": ["claimName": "disk"]],
            ],
        ]
        let object = pod
        _ = try await cluster.withAPI { try await $0.create(Resources.pods, object) }
        try await cluster.until("the witness waits for its disk") {
            try await cluster.pods("app=witness").first?.status["initContainerStatuses"][0]["state"]["waiting"].object != nil
        }
        #expect(try await !cluster.pods("app=witness").contains(where: TestCluster.isReady))
        _ = try await cluster.kubectl("patch", "pvc", "disk", "--subresource=status", "-p", "{\"status\":{\"phase\":\"Bound\"}}")
        try await cluster.until("the witness runs") { try await cluster.pods("app=witness").contains(where: TestCluster.isReady) }
        let witness = try #require(try await cluster.pods("app=witness").first)
        try await cluster.until("the witness shows what it was given") {
            let log = cluster.log(witness, "main")
            return log.contains("state=prepared file=green env=green secret=open-sesame disk=kept node=edge-1 token=") && !log.contains("token=0")
        }
        let begin = SystemClock().now().uptime
        _ = try await cluster.kubectl("patch", "configmap", "settings", "-p", "{\"data\":{\"colour\":\"blue\"}}")
        try await cluster.until("a changed configMap is in the pod's files", within: .seconds(20)) {
            cluster.log(witness, "main").contains("file=blue env=green")
        }
        print("a changed configMap was in the pod's files after \(SystemClock().now().uptime - begin)")
        return witness
    }

    /// Logs, commands, copies and forwarded ports go through the tunnel, with nothing redirected on this machine.
    private func streams(_ cluster: TestCluster) async throws {
        try await cluster.until("the node's status names the tunnel") {
            let kubelet = try #require(cluster.ports.first { $0.flag == "--kubelet-port" }).port
            let node = try await cluster.withAPI { try await $0.get(Resources.nodes, ObjectKey(name: "edge-1")) }
            return node.status["daemonEndpoints"]["kubeletEndpoint"]["Port"].int == Int64(kubelet) + 1
        }
        #expect(try await cluster.kubectl("logs", "witness", "--tail=1").contains("file=blue env=green"))
        #expect(try await cluster.kubectl("exec", "witness", "--", "cat", "/etc/settings/colour").contains("blue"))
        let failing = try await cluster.run("kubectl", ["--kubeconfig", cluster.kubeconfig, "exec", "witness", "--", "sh", "-c", "echo sad; exit 3"])
        #expect(failing.status == 3 && failing.text.contains("sad"), "\(failing.text)")
        let wrong = try await cluster.run("kubectl", ["--kubeconfig", cluster.kubeconfig, "logs", "witness", "-c", "nobody"])
        #expect(wrong.status == 1 && wrong.text.contains("container nobody is not valid for pod witness"), "\(wrong.text)")

        let file = "\(cluster.folder)/copied"
        try HostFile.write(Array(String(repeating: "0123456789abcdef", count: 65536).utf8), to: file, mode: 0o600)
        _ = try await cluster.kubectl("cp", file, "witness:/work/copied")
        #expect(try await cluster.kubectl("exec", "witness", "--", "wc", "-c", "/work/copied").contains("1048576"))

        let pod = try #require(try await cluster.pods("app=hello").first)
        let port = PortOwner.anyFreePort()
        let forward = try ChildProcess(
            "kubectl", ["--kubeconfig", cluster.kubeconfig, "port-forward", "pod/\(pod.name)", "\(port):8080"],
            logFile: "\(cluster.folder)/forward.log")
        try await cluster.until("the forwarded port answers") {
            try await cluster.run("/bin/busybox", ["wget", "-q", "-O", "-", "http://127.0.0.1:\(port)/"]).status == 0
        }
        await forward.stop()
    }

    /// T59: an agent that dies and comes back restarts nothing.
    private func agentCrash(_ cluster: TestCluster, _ witness: KubeObject) async throws {
        let before = try await cluster.runningContainers()
        try await cluster.crash("edgecore")
        let up = try await cluster.up()
        #expect(up.status == 0, "\(up.text)")
        #expect(try await cluster.runningContainers() == before)
        let pod = try #require(try await cluster.pods("app=witness").first)
        #expect(pod.uid == witness.uid)
        #expect(pod.status["containerStatuses"][0]["restartCount"] == 0)
    }

    /// An edge whose store is gone gets its objects again, though the cloud's records say that it has them.
    private func lostStore(_ cluster: TestCluster, _ witness: KubeObject) async throws {
        let before = try await cluster.runningContainers()
        try await cluster.crash("edgecore")
        for ending in ["", "-wal"] { #expect(unlink("\(cluster.folder)/edge/edgecore.db\(ending)") == 0) }
        let up = try await cluster.up()
        #expect(up.status == 0, "\(up.text)")
        try await cluster.until("the edge knows the witness again") {
            try await cluster.run("kubectl", ["--kubeconfig", cluster.kubeconfig, "exec", "witness", "--", "cat", "/etc/settings/colour"]).text
                .contains("blue")
        }
        try await cluster.until("the witness has what it is given") {
            let last = cluster.log(witness, "main").split(separator: "\n").last ?? ""
            return last.contains("state=prepared file=blue") && last.contains("secret=open-sesame disk=kept") && !last.contains("token=0")
        }
        #expect(try await cluster.pods("app=witness").map(\.uid) == [witness.uid])
        #expect(try await cluster.runningContainers() == before, "what runs was left alone until the edge knew whose it is")
    }

    /// T58: with the cloud away the node is rebooted; all pods are back from the local store. Then the cloud returns and recreates nothing.
    private func rebootWithoutCloud(_ cluster: TestCluster, _ witness: KubeObject) async throws {
        let names = Set(try await cluster.runningContainers().values)
        try await cluster.crash("cloudcore")
        try await cluster.crash("control-plane")
        try await cluster.crash("edgecore")
        try await killContainers(cluster)
        let logged = cluster.log(witness, "main").split(separator: "\n").count

        let containerd = try cluster.start("containerd", ["--config", "\(cluster.folder)/containerd/containerd.toml"])
        let edgecore = try cluster.start("edgecore", ["--config", "\(cluster.folder)/edge/edgecore.yaml"])
        let begin = SystemClock().now().uptime
        try await cluster.until("every pod runs again without the cloud") { Set(try await cluster.runningContainers().values) == names }
        print("every pod ran again \(SystemClock().now().uptime - begin) after the node's start without the cloud")
        try await cluster.until("the witness has its configuration, secret and token again") {
            let lines = cluster.log(witness, "main").split(separator: "\n")
            return lines.last?.contains("state=prepared file=blue env=blue secret=open-sesame disk=kept node=edge-1") == true
                && lines.last?.contains("token=0") == false && !(lines.count == logged)
        }
        let alone = try await cluster.runningContainers()

        // The programs of the test give way to those of `up`, which adopt what runs.
        try await cluster.crash(process: edgecore.identifier)
        await containerd.stop()
        let up = try await cluster.up()
        #expect(up.status == 0, "\(up.text)")
        try await cluster.until("the cloud knows that the node and its pods are well") {
            let pods = try await cluster.pods("app=witness")
            return pods.contains {
                TestCluster.isReady($0) && $0.uid == witness.uid && $0.status["containerStatuses"][0]["restartCount"].int ?? 0 > 0
            }
        }
        #expect(try await cluster.runningContainers() == alone, "nothing was recreated when the cloud came back")
    }

    /// Ends containerd, its shims and every container, as a power cut does.
    private func killContainers(_ cluster: TestCluster) async throws {
        let socket = "\(cluster.folder)/containerd/containerd.sock"
        let tasks = try await cluster.run("ctr", ["--address", socket, "--namespace", "k8s.io", "tasks", "list"]).text
        var processes = tasks.split(separator: "\n").compactMap { line in line.split(separator: " ").dropFirst().first.flatMap { Int32($0) } }
        let shims = try await cluster.run("pgrep", ["-f", "containerd-shim-runc-v2.*\(socket)"]).text
        processes = shims.split(separator: "\n").compactMap { Int32($0) } + processes
        try await cluster.crash("containerd")
        for process in processes { kill(process, SIGKILL) }
        for process in processes {
            try await cluster.until("container process \(process) is gone", within: .seconds(10)) { TestCluster.isGone(process) }
        }
    }

    private func deletedNode(_ cluster: TestCluster) async throws {
        let uid = try await cluster.withAPI { try await $0.get(Resources.nodes, ObjectKey(name: "edge-1")) }.uid
        _ = try await cluster.kubectl("delete", "node", "edge-1")
        try await cluster.until("the node registers again and is Ready", within: .seconds(90)) {
            let node = try await cluster.withAPI { try await $0.get(Resources.nodes, ObjectKey(name: "edge-1")) }
            return node.uid != uid && TestCluster.isReady(node)
        }
        #expect(try await cluster.up().status == 0, "the demo's pod runs on the node that came back")
    }

    private func stop(_ cluster: TestCluster) async throws {
        let processes = try ["edgecore", "cloudcore", "control-plane", "containerd"].map { try cluster.process($0) }
        let down = try await cluster.down()
        #expect(down.status == 0, "\(down.text)")
        for process in processes { #expect(TestCluster.isGone(process), "process \(process) is gone") }
        #expect(access(cluster.folder, F_OK) != 0)
        #expect(access("/sys/class/net/\(cluster.bridge)", F_OK) != 0)
    }

    @Test("a port that is taken ends up in one sentence that names the port, its owner and the flag")
    func takenPort() async throws { try await MachineTurns.take { try await upOnTakenPort() } }

    private func upOnTakenPort() async throws {
        let cluster = try TestCluster()
        let port = try #require(cluster.ports.first).port
        let squatter = try Squatter(port)
        defer { squatter.leave() }
        let up = try await cluster.up()
        #expect(up.status == 1)
        #expect(up.text.contains("port \(port) is taken by"), "\(up.text)")
        #expect(up.text.contains("(process \(getpid()))"))
        #expect(up.text.contains("--api-port"))
        #expect(try await cluster.down().status == 0)
    }
}

/// Somebody else's program on a port: this process itself.
private struct Squatter {
    private let descriptor: Int32

    init(_ port: UInt16) throws {
        // Programs that other tests start meanwhile do not inherit it.
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        try #require(result == 0 && listen(descriptor, 1) == 0)
    }

    func leave() { close(descriptor) }
}
