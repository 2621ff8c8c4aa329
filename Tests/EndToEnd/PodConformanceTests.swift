import DevCluster
import EdgeTesting
import KubeClient
import KubeMachinery
import KubeResources
import Primitives
import Testing

/// What Kubernetes' own specs for nodes see through the API: the line between cloud and edge takes part (docs/conformance.md).
extension EndToEndTests {
    @Test("what node specs do to running pods through the API arrives, and what pods do arrives back")
    func podConformance() async throws { try await MachineTurns.take { try await runningPodsThroughTheAPI() } }

    private func runningPodsThroughTheAPI() async throws {
        let cluster = try TestCluster()
        do {
            let up = try await cluster.up()
            try #require(up.status == 0, "\(up.text)")
            try await cluster.withAPI { api in
                try await Self.followFiles(cluster, api)
                try await Self.changeRunningPods(cluster, api)
                try await Self.endings(cluster, api)
                try await Self.heartbeat(cluster, api)
            }
        } catch {
            for name in ["edgecore", "cloudcore"] {
                let tail = (try? HostFile.read("\(cluster.folder)/log/\(name).log")).map { String(decoding: $0.suffix(3000), as: UTF8.self) } ?? ""
                print("--- the end of \(name).log\n\(tail)")
            }
            _ = try? await cluster.down()
            throw error
        }
        try await cluster.down()
    }

    private static func pod(_ name: String, _ script: String, _ spec: JSONValue = .null, container: JSONValue = .null) -> KubeObject {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
        pod.labels = ["name": name]
        var main: JSONValue = ["name": "main", "image": .string(BusyboxImage.reference), "command": ["sh", "-c", .string(script)]]
        for (key, value) in container.members { main[key] = value }
        pod.spec = ["terminationGracePeriodSeconds": 1, "nodeSelector": ["node-role.kubernetes.io/edge": ""], "containers": [main]]
        for (key, value) in spec.members { pod.spec[key] = value }
        return pod
    }

    private static func status(_ name: String, _ api: KubeClient) async throws -> JSONValue {
        try await api.get(Resources.pods, ObjectKey(namespace: "default", name: name)).status
    }

    private static func condition(_ name: String, _ type: String, _ api: KubeClient) async throws -> JSONValue {
        try await status(name, api)["conditions"].elements.first { $0["type"].string == type } ?? .null
    }

    private static func object(_ kind: String, _ name: String, _ data: JSONValue) -> KubeObject {
        var object = KubeObject(apiVersion: "v1", kind: kind, namespace: "default", name: name)
        object.json["data"] = data
        return object
    }

    /// Optional configMaps and secrets that are changed, deleted and created (common/storage: configmap_volume.go, secrets_volume.go, projected_*).
    private static func followFiles(_ cluster: TestCluster, _ api: KubeClient) async throws {
        for name in ["changed", "deleted"] {
            _ = try await api.create(Resources.configMaps, object("ConfigMap", name, ["data-1": "value-1"]))
            _ = try await api.create(Resources.secrets, object("Secret", name, ["data-1": "dmFsdWUtMQ=="]))
        }
        var (volumes, mounts): ([JSONValue], [JSONValue]) = ([], [])
        for name in ["changed", "created", "deleted"] {
            volumes.append(["name": .string("c-\(name)"), "configMap": ["name": .string(name), "optional": true]])
            volumes.append([
                "name": .string("s-\(name)"), "projected": ["sources": [["secret": ["name": .string(name), "optional": true]]]],
            ])
        }
        volumes.append(["name": "labels", "downwardAPI": ["items": [["path": "data-l", "fieldRef": ["fieldPath": "metadata.labels"]]]]])
        for volume in volumes { mounts.append(["name": volume["name"], "mountPath": .string("/v/" + (volume["name"].string ?? ""))]) }
        let script = "cd /v; while true; do for f in */data-*; do printf '%s=%s ' $f $(cat $f); done; echo; sleep 0.2; done"
        _ = try await api.create(
            Resources.pods, pod("follower", script, ["volumes": .array(volumes)], container: ["volumeMounts": .array(mounts)]))
        func line() async throws -> String {
            let object = try await api.get(Resources.pods, ObjectKey(namespace: "default", name: "follower"))
            return cluster.log(object, "main").split(separator: "\n").last.map { String($0.drop { $0 != "F" }.dropFirst(2)) } ?? ""
        }
        let before =
            "c-changed/data-1=value-1 c-deleted/data-1=value-1 labels/data-l=name=\"follower\" s-changed/data-1=value-1 s-deleted/data-1=value-1 "
        try await cluster.until("the pod shows its files") { try await line() == before }

        let start = SystemClock().now().uptime
        let named = { (name: String) in ObjectKey(namespace: "default", name: name) }
        _ = try await api.patch(Resources.configMaps, named("changed"), ["data": ["data-1": nil, "data-3": "new"]], .merge)
        _ = try await api.patch(Resources.secrets, named("changed"), ["data": ["data-1": "bmV3"]], .merge)
        _ = try await api.create(Resources.configMaps, object("ConfigMap", "created", ["data-1": "born"]))
        _ = try await api.create(Resources.secrets, object("Secret", "created", ["data-1": "Ym9ybg=="]))
        _ = try await api.delete(Resources.configMaps, named("deleted"))
        _ = try await api.delete(Resources.secrets, named("deleted"))
        _ = try await api.patch(Resources.pods, named("follower"), ["metadata": ["labels": ["name": "other"]]], .merge)
        let after = "c-changed/data-3=new c-created/data-1=born labels/data-l=name=\"other\" s-changed/data-1=new s-created/data-1=born "
        try await cluster.until("the pod shows what became of them", within: .seconds(20)) { try await line() == after }
        print("changed, created and deleted configMaps and secrets were in the pod's files after \(SystemClock().now().uptime - start)")
    }

    /// Image, deadline, readiness gates, ephemeral containers (common/node: pods.go, ephemeral_containers.go).
    private static func changeRunningPods(_ cluster: TestCluster, _ api: KubeClient) async throws {
        let loop = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
        _ = try await api.create(Resources.pods, pod("gated", loop, ["readinessGates": [["conditionType": "example.com/open"]]]))
        _ = try await api.create(Resources.pods, pod("timed", loop))
        let (gated, timed) = (ObjectKey(namespace: "default", name: "gated"), ObjectKey(namespace: "default", name: "timed"))
        try await cluster.until("the gate holds the pod") { try await condition("gated", "Ready", api)["reason"] == "ReadinessGatesNotReady" }
        for value in ["True", "False"] {
            let patch: JSONValue = ["status": ["conditions": [["type": "example.com/open", "status": .string(value)]]]]
            _ = try await api.patch(Resources.pods, gated, patch, .strategic, subresource: "status")
            try await cluster.until("the pod's readiness follows its gate", within: .seconds(10)) {
                try await condition("gated", "Ready", api)["status"].string == value
            }
        }
        var debug: JSONValue = ["name": "debug", "image": .string(BusyboxImage.reference), "command": ["sh", "-c", "echo polo; sleep 1000"]]
        debug["targetContainerName"] = "main"
        _ = try await api.patch(
            Resources.pods, gated, ["spec": ["ephemeralContainers": [debug]]], .strategic, subresource: "ephemeralcontainers")
        try await cluster.until("the debugger runs", within: .seconds(20)) {
            !(try await status("gated", api)["ephemeralContainerStatuses"][0]["state"]["running"]).isNull
        }
        try await cluster.until("it speaks") { cluster.log(try await api.get(Resources.pods, gated), "debug").contains("stdout F polo") }

        try await cluster.until("the other pod runs") { try await status("timed", api)["phase"] == "Running" }
        _ = try await api.patch(Resources.pods, timed, ["spec": ["activeDeadlineSeconds": 2]], .strategic)
        try await cluster.until("its deadline ends it", within: .seconds(20)) { try await status("timed", api)["reason"] == "DeadlineExceeded" }
        #expect(try await status("timed", api)["phase"] == "Failed")
    }

    /// Exit codes, messages, restart counts and refusals (common/node: runtime.go, init_container.go, security_context.go, sysctl.go).
    private static func endings(_ cluster: TestCluster, _ api: KubeClient) async throws {
        let pods = [
            pod(
                "message", "echo -n DONE; exit 3", ["restartPolicy": "Never"], container: ["terminationMessagePolicy": "FallbackToLogsOnError"]),
            pod("again", "exit 1"),
            pod(
                "init-fails", "true",
                [
                    "restartPolicy": "Never",
                    "initContainers": [["name": "init1", "image": .string(BusyboxImage.reference), "command": ["/bin/false"]]],
                ]),
            pod("sysctl", "true", ["restartPolicy": "Never", "securityContext": ["sysctls": [["name": "kernel.msgmax", "value": "1"]]]]),
            pod("root", "true", container: ["securityContext": ["runAsNonRoot": true]]),
            pod("nowhere", "true", container: ["image": "invalid.registry.k8s.io/invalid/alpine:3.1", "imagePullPolicy": "Always"]),
        ]
        for pod in pods { _ = try await api.create(Resources.pods, pod) }
        func first(_ name: String) async throws -> JSONValue { try await status(name, api)["containerStatuses"][0] }
        try await cluster.until("the message arrives") { try await status("message", api)["phase"] == "Failed" }
        #expect(try await first("message")["state"]["terminated"]["message"] == "DONE")
        #expect(try await first("message")["state"]["terminated"]["exitCode"] == 3)
        try await cluster.until("the crash loop shows") { try await first("again")["state"]["waiting"]["reason"] == "CrashLoopBackOff" }
        #expect(try await first("again")["lastState"]["terminated"]["exitCode"] == 1)
        try await cluster.until("the failed init container fails the pod") { try await status("init-fails", api)["phase"] == "Failed" }
        #expect(try await first("init-fails")["state"]["waiting"]["reason"] == "PodInitializing")
        #expect(try await condition("init-fails", "Initialized", api)["reason"] == "ContainersNotInitialized")
        try await cluster.until("the unsafe setting is refused") { try await status("sysctl", api)["reason"] == "SysctlForbidden" }
        try await cluster.until("root is not run") { try await first("root")["state"]["waiting"]["reason"] == "CreateContainerConfigError" }
        try await cluster.until("the pull fails") {
            ["ErrImagePull", "ImagePullBackOff"].contains(try await first("nowhere")["state"]["waiting"]["reason"].string)
        }
        for pod in pods { _ = try await api.delete(Resources.pods, pod.key) }
        try await cluster.until("all of them are gone") {
            try await api.list(Resources.pods, ListQuery(namespace: "default")).items.allSatisfy { pod in !pods.contains { $0.name == pod.name } }
        }
    }

    /// The node's lease is renewed (common/node: node_lease.go).
    private static func heartbeat(_ cluster: TestCluster, _ api: KubeClient) async throws {
        let key = ObjectKey(namespace: "kube-node-lease", name: "edge-1")
        let first = try await api.get(Resources.leases, key)
        #expect(first.spec["holderIdentity"] == "edge-1")
        #expect(first.spec["leaseDurationSeconds"].int.map { $0 > 0 } == true)
        #expect(first.metadata["ownerReferences"][0]["kind"] == "Node")
        try await cluster.until("the lease is renewed", within: .seconds(30)) {
            try await api.get(Resources.leases, key).spec["renewTime"] != first.spec["renewTime"]
        }
    }
}
