import DevCluster
import KubeMachinery
import Primitives
import Testing

extension ConformanceTests {
    /// test/e2e/common/node/runtime.go, image pulling status.
    @Suite(.enabled(if: Registry.isPossible, "docker-registry and htpasswd are needed"))
    struct Images {
        @Test func `images come from a private registry with the right secret only, and their absence has its reason`() async throws {
            try await ConformanceBed.run { bed in
                try await Registry.run(below: bed.containerd.directory) { registry in
                    let image = try await registry.push(BusyboxImage.reference, as: "private/busybox:1", from: bed.containerd)
                    await bed.backend.put(secret: registry.pullSecret("open"))
                    await bed.backend.put(secret: registry.pullSecret("wrong", password: "guess"))
                    func pod(_ name: String, _ image: String, _ policy: String, secret: String? = nil) -> KubeObject {
                        ConformanceBed.pod(
                            name, nil, container: ["image": .string(image), "imagePullPolicy": .string(policy)],
                            spec: secret.map { ["imagePullSecrets": [["name": .string($0)]]] } ?? .null)
                    }
                    let anonymous = pod("anonymous", image, "Always")
                    let wrong = pod("wrong-password", image, "Always", secret: "wrong")
                    let absent = pod("absent-secret", image, "Always", secret: "nowhere")
                    let never = pod("never", image, "Never")
                    let invalid = pod("invalid", "Busybox:1", "IfNotPresent")
                    let unknown = pod("unknown", "\(registry.host)/private/nothing:1", "IfNotPresent", secret: "open")
                    let nowhere = pod("nowhere", "invalid.registry.k8s.io/invalid/alpine:3.1", "Always")
                    let refused = [anonymous, wrong, absent, unknown, nowhere]
                    await bed.start(anonymous, wrong, absent, never, invalid, unknown, nowhere)

                    try await bed.eventually("it is never pulled") { await bed.waiting(never) == "ErrImageNeverPull" }
                    try await bed.eventually("the name is wrong") { await bed.waiting(invalid) == "InvalidImageName" }
                    for pod in refused {
                        try await bed.eventually("\(pod.name) shows why") {
                            ["ErrImagePull", "ImagePullBackOff"].contains(await bed.waiting(pod))
                        }
                        try await bed.eventually("\(pod.name) backs off") { await bed.waiting(pod) == "ImagePullBackOff" }
                        #expect(
                            await bed.container(pod)["state"]["waiting"]["message"].string
                                == "Back-off pulling image \"\(pod.spec["containers"][0]["image"].string ?? "")\"")
                    }
                    for pod in refused + [never, invalid] { #expect(await bed.phase(pod) == "Pending") }

                    let allowed = pod("allowed", image, "Always", secret: "open")
                    await bed.start(allowed)
                    try await bed.untilRunning(allowed)
                    #expect(await bed.container(allowed)["imageID"].string?.contains("sha256:") == true)
                    // Now it is there: whoever may use what is there needs neither secret nor registry.
                    try await bed.untilRunning(never)
                    let present = pod("present", image, "IfNotPresent")
                    await bed.start(present)
                    try await bed.untilRunning(present)
                    // The secret comes late.
                    await bed.backend.put(secret: registry.pullSecret("nowhere"))
                    try await bed.eventually("the back-off ends and the secret opens") { await bed.phase(absent) == "Running" }
                }
            }
        }
    }
}
