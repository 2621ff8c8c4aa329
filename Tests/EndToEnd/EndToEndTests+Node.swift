import KubeMachinery
import KubeResources
import Primitives
import Testing

/// What a user sees of the node itself: its events.
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
}
