import ContainerRuntime
import DevCluster
import EdgeTesting
import Edged
import Glibc
import KubeMachinery
import PodCore
import Primitives
import Testing

@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct PersistentVolumesOnContainerdTests {
    @Test func `claims on hostPath and local volumes are mounted, kept over a restart of the agent, and outlive the pod`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let backend = FakeKubeletBackend()
            var volumes: [JSONValue] = []
            for (name, source) in [("host", "hostPath"), ("local", "local")] {
                try HostFile.makeDirectory("\(bed.directory)/\(name)")
                await backend.put(
                    persistent: KubeObject([
                        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                        "metadata": ["name": .string(name), "namespace": "default", "uid": .string(name)],
                        "spec": ["volumeName": .string("pv-\(name)")], "status": ["phase": "Bound"],
                    ]))
                await backend.put(
                    persistent: KubeObject([
                        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": .string("pv-\(name)")],
                        "spec": .object([
                            "claimRef": ["namespace": "default", "name": .string(name), "uid": .string(name)],
                            source: ["path": .string("\(bed.directory)/\(name)")],
                        ]),
                    ]))
                volumes.append(["name": .string(name), "persistentVolumeClaim": ["claimName": .string(name)]])
            }
            var pod = KubeletOnContainerdTests.plainPod(
                "keeper", "echo $HOSTNAME >> /host/starts; echo $HOSTNAME >> /local/starts; sleep 100000")
            pod.spec["volumes"] = .array(volumes)
            pod.spec["containers"] = .array([
                pod.spec["containers"][0].merging([
                    "volumeMounts": [["name": "host", "mountPath": "/host"], ["name": "local", "mountPath": "/local"]]
                ])
            ])
            let object = pod
            await backend.start([object])
            @Sendable func starts(_ name: String) -> String? {
                (try? HostFile.read("\(bed.directory)/\(name)/starts")).map { String(decoding: $0, as: UTF8.self) }
            }
            try await KubeletOnContainerdTests.withKubelet(bed, backend) {
                try await bed.eventually("both were written to") { starts("host") == "keeper\n" && starts("local") == "keeper\n" }
                // An agent that ends within the call that starts a container takes the container with it.
                try await bed.eventually("it is told to run") { await backend.pod(object.uid)?.status["phase"] == "Running" }
            }
            try await KubeletOnContainerdTests.withKubelet(bed, backend) {
                try await bed.eventually("it is adopted") { await backend.pod(object.uid)?.status["phase"] == "Running" }
                let container = try #require(try await bed.runtime.containers(ofPod: object.uid).first)
                let seen = try await bed.runtime.execute(["cat", "/host/starts", "/local/starts"], inContainer: container.id, timeout: .seconds(10))
                #expect(String(decoding: seen.output, as: UTF8.self) == "keeper\nkeeper\n")
                await backend.delete(object.uid, grace: 1)
                try await bed.eventually("it is gone") { try await bed.runtime.sandboxes(ofPod: nil).isEmpty }
                try await bed.eventually("its directory is gone") { Self.isEmpty("\(bed.directory)/edged/pods") }
            }
            #expect(starts("host") == "keeper\n" && starts("local") == "keeper\n")
        }
    }

    @Test(.enabled(if: access("/dev/loop-control", F_OK) == 0, "loop devices are needed"))
    func `a disk of the node is given to a container as a device`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let image = "\(bed.directory)/disk.image"
            try HostFile.write(Array("a disk of 1 MiB".utf8) + [UInt8](repeating: 0, count: (1 << 20) - 15), to: image)
            let log = "\(bed.directory)/losetup.log"
            try #require(await ChildProcess("losetup", ["--find", "--show", image], logFile: log).wait(for: .seconds(10)) == 0)
            let device = String(decoding: try HostFile.read(log).filter { $0 != 10 }, as: UTF8.self)
            let backend = FakeKubeletBackend()
            await backend.put(
                persistent: KubeObject([
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "disk", "namespace": "default", "uid": "disk"],
                    "spec": ["volumeName": "pv-disk", "volumeMode": "Block"], "status": ["phase": "Bound"],
                ]))
            await backend.put(
                persistent: KubeObject([
                    "apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": "pv-disk"],
                    "spec": [
                        "claimRef": ["namespace": "default", "name": "disk", "uid": "disk"], "volumeMode": "Block",
                        "local": ["path": .string(device)],
                    ],
                ]))
            var pod = KubeletOnContainerdTests.plainPod("reader", "head -c 15 /dev/xvda > /dev/termination-log")
            pod.spec["restartPolicy"] = "Never"
            pod.spec["volumes"] = [["name": "disk", "persistentVolumeClaim": ["claimName": "disk"]]]
            pod.spec["containers"] = .array([
                pod.spec["containers"][0].merging(["volumeDevices": [["name": "disk", "devicePath": "/dev/xvda"]]])
            ])
            let object = pod
            await backend.start([object])
            let outcome: Result<Void, any Error>
            do {
                try await KubeletOnContainerdTests.withKubelet(bed, backend) {
                    try await bed.eventually("it has ended, or says why it cannot") {
                        let status = await backend.pod(object.uid)?.status ?? .null
                        return ["Succeeded", "Failed"].contains(status["phase"].string)
                            || status["containerStatuses"][0]["state"]["waiting"]["message"].string != nil
                    }
                }
                outcome = .success(())
            } catch { outcome = .failure(error) }
            _ = try await ChildProcess("losetup", ["--detach", device], logFile: log).wait(for: .seconds(10))
            try outcome.get()
            let status = await backend.pod(object.uid)?.status["containerStatuses"][0]["state"] ?? .null
            #expect(status["terminated"]["message"] == "a disk of 1 MiB", "\(status.text())")
        }
    }

    @Test func `a part of a volume that leads to the host is refused`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let backend = FakeKubeletBackend()
            var pod = KubeletOnContainerdTests.plainPod("thief", "sleep 100000")
            var first: JSONValue = pod.spec["containers"][0]
            first["name"] = "prepare"
            first["command"] = ["/bin/sh", "-c", "ln -s /etc /scratch/out"]
            first["volumeMounts"] = [["name": "scratch", "mountPath": "/scratch"]]
            pod.spec["initContainers"] = .array([first])
            pod.spec["volumes"] = [["name": "scratch", "emptyDir": [:]]]
            pod.spec["containers"] = .array([
                pod.spec["containers"][0].merging(["volumeMounts": [["name": "scratch", "mountPath": "/loot", "subPath": "out"]]])
            ])
            let object = pod
            await backend.start([object])
            try await KubeletOnContainerdTests.withKubelet(bed, backend) {
                try await bed.eventually("it is refused") {
                    let waiting = await backend.pod(object.uid)?.status["containerStatuses"][0]["state"]["waiting"] ?? .null
                    return waiting["reason"] == "CreateContainerConfigError" && waiting["message"].string?.contains("leads out of its volume") == true
                }
                #expect(try await bed.runtime.containers(ofPod: object.uid).allSatisfy { $0.name == "prepare" })
                await backend.delete(object.uid, grace: 1)
                try await bed.eventually("it is gone") { try await bed.runtime.sandboxes(ofPod: nil).isEmpty }
            }
        }
    }

    private static func isEmpty(_ directory: String) -> Bool {
        // An empty directory can be removed, and only such a one.
        guard rmdir(directory) == 0 else { return false }
        return mkdir(directory, 0o750) == 0
    }
}
