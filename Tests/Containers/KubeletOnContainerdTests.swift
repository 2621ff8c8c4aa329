import ContainerRuntime
import DevCluster
import EdgeTesting
import Edged
import KubeMachinery
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct KubeletOnContainerdTests {
    private static func pod(_ name: String, _ script: String, _ more: JSONValue = .null) -> KubeObject {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
        pod.uid = UniqueID.next()
        var container: JSONValue = [
            "name": "main", "image": .string(BusyboxImage.reference), "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/sh", "-c", .string(script)],
        ]
        for (key, value) in more.members { container[key] = value }
        pod.json["spec"] = [
            "nodeName": "edge-1", "restartPolicy": "Always", "terminationGracePeriodSeconds": 5, "containers": [container],
            "volumes": [
                ["name": "settings", "configMap": ["name": "settings"]], ["name": "secret", "secret": ["secretName": "secret"]],
                ["name": "scratch", "emptyDir": [:]],
            ],
        ]
        return pod
    }

    /// A pod of one container without volumes.
    static func plainPod(_ name: String, _ script: String) -> KubeObject {
        var pod = pod(name, script)
        pod.spec.removeMember("volumes")
        pod.spec["terminationGracePeriodSeconds"] = 1
        return pod
    }

    /// Runs a kubelet on the bed's runtime while `body` runs; a second call is a restart of the agent.
    static func withKubelet(
        _ bed: ContainerdBed, _ backend: FakeKubeletBackend, configure: (inout EdgedConfiguration) -> Void = { _ in },
        body: @Sendable @escaping () async throws -> Void
    ) async throws {
        var configuration = EdgedConfiguration(nodeName: "edge-1")
        configuration.rootDirectory = bed.directory + "/edged"
        configuration.podLogDirectory = bed.directory + "/logs"
        configuration.containerLogDirectory = bed.directory + "/links"
        configure(&configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let edged = try Edged(
            configuration, runtime: bed.runtime, backend: backend, handlers: NIOHandlerNetwork(group: group),
            logger: Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do { try await edged.run() } catch is CancellationError {}
            }
            try await body()
            tasks.cancelAll()
        }
        try await group.shutdownGracefully()
    }

    @Test func `a real pod runs with its volumes, survives the agent, comes back after a crash and ends gracefully`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let backend = FakeKubeletBackend()
            var settings = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "settings")
            settings.json["data"] = ["colour": "blue"]
            await backend.put(configMap: settings)
            var secret = KubeObject(apiVersion: "v1", kind: "Secret", namespace: "default", name: "secret")
            secret.json["data"] = ["key": "c2VzYW1l"]
            await backend.put(secret: secret)
            let script =
                "cat /settings/colour /secret/key > /scratch/out; hostname >> /scratch/out; httpd -p 8080 -h /scratch; "
                + "trap 'echo bye > /dev/termination-log; exit 3' TERM; while true; do sleep 0.05; done"
            let pod = Self.pod(
                "web", script,
                [
                    "volumeMounts": [
                        ["name": "settings", "mountPath": "/settings"], ["name": "secret", "mountPath": "/secret"],
                        ["name": "scratch", "mountPath": "/scratch"],
                    ],
                    "readinessProbe": ["httpGet": ["port": 8080, "path": "/out"], "periodSeconds": 1],
                    "resources": ["requests": ["cpu": "10m"], "limits": ["memory": "64Mi"]],
                ])
            await backend.start([pod])
            @Sendable func status() async -> JSONValue { await backend.pod(pod.uid)?.status ?? .null }
            @Sendable func container() async -> JSONValue { await status()["containerStatuses"][0] }

            try await Self.withKubelet(bed, backend) {
                try await bed.eventually("the pod is ready") { await container()["ready"] == true }
                #expect(await status()["phase"] == "Running")
                let ready = await backend.currentNode?.status["conditions"].elements.first { $0["type"] == "Ready" }
                #expect(ready?["status"] == "True")
            }
            let id = try #require(await container()["containerID"].string)
            let result = try await bed.runtime.execute(
                ["cat", "/scratch/out", "/etc/hosts"], inContainer: String(id.dropFirst("containerd://".count)), timeout: .seconds(10))
            let output = String(decoding: result.output, as: UTF8.self)
            #expect(output.hasPrefix("bluesesameweb\n# Kubernetes-managed hosts file.\n"))

            try await Self.withKubelet(bed, backend) {
                // The agent came back: the same container runs, until it is killed.
                try await bed.eventually("the pod is still ready") { await container()["ready"] == true }
                #expect(await container()["containerID"].string == id)
                try await bed.runtime.stopContainer(String(id.dropFirst("containerd://".count)), grace: .seconds(5))
                try await bed.eventually("it runs again") {
                    let now = await container()
                    return now["restartCount"] == 1 && now["ready"] == true
                }
                let last = await container()["lastState"]["terminated"]
                #expect(last["exitCode"] == 3)
                #expect(last["message"] == "bye\n")

                await backend.delete(pod.uid, grace: 5)
                try await bed.eventually("it is deleted") { await backend.deletedPods == ["web"] }
                try await bed.eventually("nothing of it is left") { try await bed.runtime.sandboxes(ofPod: nil).isEmpty }
            }
        }
    }
}
