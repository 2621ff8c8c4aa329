import DevCluster
import Glibc
import KubeMachinery
import KubeResources
import Primitives
import Testing

/// What a user sees of the node itself: its events, and the pods of its manifest directory.
extension EndToEndTests {
    /// An image that cannot be pulled, as `kubectl describe` and `kubectl get events` tell of it.
    func events(_ cluster: TestCluster) async throws {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "no-image")
        pod.spec = [
            "terminationGracePeriodSeconds": 1, "nodeSelector": ["node-role.kubernetes.io/edge": ""],
            "containers": [["name": "main", "image": "127.0.0.1:1/nowhere/image:1"]],
        ]
        let object = pod
        let begin = SystemClock().now().uptime
        _ = try await cluster.withAPI { try await $0.create(Resources.pods, object) }
        try await cluster.until("the first event is there") { try await cluster.kubectl("get", "events").contains("no-image") }
        print("the first event of a pod was there after \(SystemClock().now().uptime - begin)")
        try await cluster.until("kubectl describe tells why the pod does not run") {
            let text = try await cluster.kubectl("describe", "pod", "no-image")
            return [
                "Pulling image \"127.0.0.1:1/nowhere/image:1\"", "Failed to pull image \"127.0.0.1:1/nowhere/image:1\": ", "Error: ErrImagePull",
                "Back-off pulling image \"127.0.0.1:1/nowhere/image:1\"", "Error: ImagePullBackOff",
            ].allSatisfy { text.contains($0) }
        }
        let list = try JSONValue(
            parsing: try await cluster.kubectl("get", "events", "--field-selector", "involvedObject.name=no-image,reason=Failed", "-o", "json"))
        #expect(!list["items"].elements.isEmpty)
        for event in list["items"].elements where event["source"]["component"] == "kubelet" {
            #expect(event["source"]["host"] == "edge-1" && event["type"] == "Warning")
            #expect(event["involvedObject"]["fieldPath"] == "spec.containers{main}")
        }
        let node = try await cluster.kubectl("describe", "node", "edge-1")
        #expect(node.contains("Starting kubelet.") && node.contains("NodeHasSufficientMemory"))
        _ = try await cluster.kubectl("delete", "pod", "no-image", "--wait=true")
    }

    private static let manifest = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: beacon
        spec:
          terminationGracePeriodSeconds: 1
          containers:
            - name: main
              image: \(BusyboxImage.reference)
              imagePullPolicy: IfNotPresent
              command: ["sh", "-c", "trap exit TERM; while true; do sleep 1; done"]
        """

    private func manifestPath(_ cluster: TestCluster) -> String { "\(cluster.folder)/edge/manifests/beacon.yaml" }

    private func mirror(_ cluster: TestCluster) async throws -> KubeObject? {
        do {
            return try await cluster.withAPI { try await $0.get(Resources.pods, ObjectKey(namespace: "default", name: "beacon-edge-1")) }
        } catch let status as KubeStatus where status.isNotFound {
            return nil
        }
    }

    /// A manifest becomes a pod that the cluster sees and cannot end.
    func staticPod(_ cluster: TestCluster) async throws {
        try HostFile.write(Array(Self.manifest.utf8), to: manifestPath(cluster), mode: 0o600)
        try await cluster.until("the cluster sees the static pod run") { try await mirror(cluster).map(TestCluster.isReady) ?? false }
        #expect(try await cluster.kubectl("get", "pods").contains("beacon-edge-1"))
        let containers = try await cluster.runningContainers().filter { $0.value == "beacon-edge-1" }
        let first = try #require(try await mirror(cluster))
        _ = try await cluster.kubectl("delete", "pod", "beacon-edge-1", "--wait=true", "--grace-period=5")
        try await cluster.until("the mirror comes back") {
            guard let again = try await mirror(cluster) else { return false }
            return again.uid != first.uid && TestCluster.isReady(again)
        }
        #expect(try await cluster.runningContainers().filter { $0.value == "beacon-edge-1" } == containers, "nothing was restarted")
    }

    /// The pod goes with its file.
    func staticPodEnds(_ cluster: TestCluster) async throws {
        try await cluster.until("the static pod survived everything") { try await mirror(cluster).map(TestCluster.isReady) ?? false }
        unlink(manifestPath(cluster))
        try await cluster.until("pod and mirror are gone") {
            let isRunning = try await cluster.runningContainers().values.contains("beacon-edge-1")
            let isShown = try await mirror(cluster) != nil
            return !isRunning && !isShown
        }
    }
}
