import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("claims of a pod")
struct ClaimTests {
    static let volume: JSONValue = ["name": "data", "persistentVolumeClaim": ["claimName": "c"]]

    static func pod(container: JSONValue = ["volumeMounts": [["name": "data", "mountPath": "/data"]]], spec: JSONValue = [:]) -> KubeObject {
        Fixture.pod(containers: [Fixture.container("main", container)], spec: spec)
    }

    static func claim(_ more: JSONValue = [:], metadata: JSONValue = [:]) -> KubeObject {
        var claim = KubeObject([
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "c", "namespace": "shop", "uid": "u1"],
            "spec": ["volumeName": "pv1"], "status": ["phase": "Bound"],
        ])
        for (key, value) in more.members { claim.json[key] = value }
        for (key, value) in metadata.members { claim.metadata[key] = value }
        return claim
    }

    static func persistent(_ spec: JSONValue, annotations: JSONValue = [:]) -> KubeObject {
        var volume = KubeObject([
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": "pv1", "annotations": annotations],
            "spec": ["claimRef": ["namespace": "shop", "name": "c", "uid": "u1"], "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"]],
        ])
        for (key, value) in spec.members { volume.spec[key] = value }
        return volume
    }

    struct Waiting: Sendable {
        var claim: KubeObject
        var message: String?
    }

    static let waits = [
        Waiting(claim: claim()), Waiting(claim: claim(["status": ["phase": "Pending"]]), message: "PVC is not bound"),
        Waiting(claim: claim(["spec": [:]]), message: "PVC is not bound"), Waiting(claim: claim(["status": [:]]), message: "PVC is not bound"),
        Waiting(claim: claim(metadata: ["deletionTimestamp": "2026-11-23T11:15:57Z"]), message: "PVC is being deleted"),
    ]

    @Test("a pod waits until its claim is bound", arguments: waits)
    func bound(row: Waiting) throws {
        let pod = Fixture.view(Self.pod())
        let reference = try #require(VolumeClaim(Self.volume, in: pod))
        if let message = row.message {
            #expect(throws: VolumeFailure(message)) { try reference.volumeName(row.claim, for: pod) }
        } else {
            #expect(try reference.volumeName(row.claim, for: pod) == "pv1")
        }
    }

    @Test("a pod that has run keeps a claim that is being deleted")
    func runningPod() throws {
        let pod = Fixture.view(Fixture.pod(status: ["phase": "Running"]))
        let reference = try #require(VolumeClaim(Self.volume, in: pod))
        let claim = Self.claim(metadata: ["deletionTimestamp": "2026-11-23T11:15:57Z"])
        #expect(try reference.volumeName(claim, for: pod) == "pv1")
    }

    @Test("an ephemeral claim must be the pod's own")
    func ephemeral() throws {
        let pod = Fixture.view(Self.pod())
        let reference = try #require(VolumeClaim(["name": "data", "ephemeral": ["volumeClaimTemplate": [:]]], in: pod))
        #expect(reference.name == "web-data")
        #expect(throws: VolumeFailure("PVC shop/web-data was not created for pod shop/web (pod is not owner)")) {
            try reference.volumeName(Self.claim(), for: pod)
        }
        let own = Self.claim(metadata: ["ownerReferences": [["kind": "Pod", "name": "web", "uid": "7b1f-4c", "controller": true]]])
        #expect(try reference.volumeName(own, for: pod) == "pv1")
    }

    private static func claimed(_ persistent: KubeObject, _ pod: KubeObject = pod(), isReadOnly: Bool = false) throws -> ClaimedVolume {
        var volume = volume
        volume["persistentVolumeClaim"]["readOnly"] = .bool(isReadOnly)
        let view = Fixture.view(pod)
        var node = Fixture.node
        node.labels["kubernetes.io/hostname"] = "edge-1"
        return try ClaimedVolume(
            volume, try #require(VolumeClaim(volume, in: view)), claim: claim(), persistent: persistent, in: view, node: node)
    }

    private static let root = "/var/lib/edged/pods/7b1f-4c/volumes"

    static let plans: [(JSONValue, VolumePlan)] = [
        (["hostPath": ["path": "/x", "type": "Directory"]], .hostPath(path: "/x", type: .directory)),
        (
            ["local": ["path": "/mnt/x"]],
            .local(source: "/mnt/x", path: "\(root)/kubernetes.io~local-volume/pv1", fileSystem: nil, options: [], isReadOnly: false)
        ),
        (
            ["local": ["path": "/dev/sdb1", "fsType": "xfs"], "mountOptions": ["noatime"]],
            .local(source: "/dev/sdb1", path: "\(root)/kubernetes.io~local-volume/pv1", fileSystem: "xfs", options: ["noatime"], isReadOnly: false)
        ),
        (
            ["nfs": ["server": "10.0.0.9", "path": "/share"], "mountOptions": ["nfsvers=4.1"]],
            .nfs(server: "10.0.0.9", export: "/share", path: "\(root)/kubernetes.io~nfs/pv1", options: ["nfsvers=4.1"], isReadOnly: false)
        ),
        (
            ["iscsi": ["targetPortal": "10.0.0.9"], "storageClassName": "fast"],
            .unsupported(
                "persistent volume \"pv1\" is of type iscsi, which this node does not support: "
                    + "attach the storage to the node and use a persistent volume of type local, or use nfs")
        ),
    ]

    @Test("what a persistent volume is made of", arguments: plans)
    func plan(spec: JSONValue, plan: VolumePlan) throws { #expect(try Self.claimed(Self.persistent(spec)).plan == plan) }

    @Test("a claim that is read only makes a volume that is read only")
    func readOnly() throws {
        let local = try Self.claimed(Self.persistent(["local": ["path": "/mnt/x"]]), isReadOnly: true)
        #expect(local.plan.mounted?.isReadOnly == true)
        #expect(try Self.claimed(Self.persistent(["hostPath": ["path": "/x"]]), isReadOnly: true).plan.mounted?.isReadOnly == true)
    }

    @Test("a volume of another claim, for another node or of another mode is refused")
    func refusals() throws {
        func message(_ spec: JSONValue, _ pod: KubeObject = Self.pod()) -> String? {
            do {
                _ = try Self.claimed(Self.persistent(spec), pod)
                return nil
            } catch { return "\(error)" }
        }
        let local: JSONValue = ["path": "/mnt/x"]
        #expect(message(["local": local, "claimRef": ["namespace": "shop", "name": "c"]]) == nil)
        #expect(message(["local": local, "claimRef": ["namespace": "shop", "name": "other"]])?.contains("unexpected pv.Spec.ClaimRef.UID") == true)
        #expect(
            message(["local": local, "claimRef": ["uid": "u2"]]) == "found PV object pv1 with unexpected pv.Spec.ClaimRef.UID u2, expected u1")
        #expect(message(["local": local, "claimRef": .null])?.contains("nil pv.Spec.ClaimRef") == true)
        func affinity(_ name: String) -> JSONValue {
            [
                "required": [
                    "nodeSelectorTerms": [["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(name)]]]]]
                ]
            ]
        }
        #expect(message(["local": local, "nodeAffinity": affinity("edge-1")]) == nil)
        #expect(message(["local": local, "nodeAffinity": affinity("edge-2")])?.hasSuffix("no matching NodeSelectorTerms") == true)
        #expect(message(["local": local, "volumeMode": "Block"]) == "volume data has volumeMode Block, but is specified in volumeMounts")
        let disk = Self.pod(container: ["volumeDevices": [["name": "data", "devicePath": "/dev/xvda"]]])
        #expect(message(["local": local], disk) == "volume data has volumeMode Filesystem, but is specified in volumeDevices")
    }

    @Test("a disk is given to the container as a device")
    func device() throws {
        let pod = Self.pod(container: ["volumeDevices": [["name": "data", "devicePath": "/dev/xvda"]]])
        let claimed = try Self.claimed(Self.persistent(["local": ["path": "/dev/sdb"], "volumeMode": "Block"]), pod)
        #expect(claimed.plan == .device(path: "/dev/sdb", isReadOnly: false))
        let mounted = try #require(claimed.plan.mounted)
        let view = Fixture.view(pod)
        let planner = ContainerPlanner(pod: view, node: Fixture.node, objects: PodObjects(), addresses: [], volumes: ["data": mounted])
        let blueprint = try planner.blueprint(view.containers[0], attempt: 0, image: Fixture.image, logToken: "0")
        #expect(blueprint.plan.devices == [DevicePlan(containerPath: "/dev/xvda", hostPath: "/dev/sdb", permissions: "mrw")])
        #expect(!blueprint.plan.mounts.contains { $0.hostPath == "/dev/sdb" })
    }

    @Test("the group of a volume is given to containers, between fsGroup and what the pod adds")
    func group() throws {
        let pod = Self.pod(spec: ["securityContext": ["fsGroup": 5, "supplementalGroups": [9, 7]]])
        let claimed = try Self.claimed(Self.persistent(["local": local], annotations: ["pv.beta.kubernetes.io/gid": "1234"]), pod)
        #expect(claimed.group == 1234)
        let volumes = [1234, 7, nil].map { MountedVolume(hostPath: "/x", isReadOnly: false, group: $0) }
        #expect(Fixture.view(pod).supplementalGroups(with: volumes) == [5, 1234, 9, 7])
    }

    private let local: JSONValue = ["path": "/mnt/x"]

    @Test("volumes that no container uses are not made")
    func used() {
        let pod = Self.pod(spec: ["volumes": [Self.volume, ["name": "unused", "configMap": ["name": "no"]]]])
        #expect(Fixture.view(pod).usedVolumes.map { $0["name"].string } == ["data"])
    }

    // MARK: - Groups and words

    @Test(
        "when a volume is walked for fsGroup",
        arguments: [
            ("", UInt32(5), UInt32(0o2775), true), ("Always", 5, 0o2775, true), ("OnRootMismatch", 5, 0o2775, false),
            ("OnRootMismatch", 6, 0o2775, true),
            ("OnRootMismatch", 5, 0o775, true), ("OnRootMismatch", 5, 0o2755, true),
        ])
    func ownership(policy: String, group: UInt32, mode: UInt32, isDue: Bool) throws {
        let pod = Self.pod(spec: ["securityContext": ["fsGroup": 5, "fsGroupChangePolicy": .string(policy)]])
        let ownership = try #require(VolumeOwnership(Fixture.view(pod), isReadOnly: false))
        #expect(ownership.isDue(topGroup: group, topMode: mode) == isDue)
        #expect(ownership.addedMode(isDirectory: true) == 0o2770 && ownership.addedMode(isDirectory: false) == 0o660)
        #expect(VolumeOwnership(Fixture.view(Self.pod()), isReadOnly: false) == nil)
    }

    @Test("what users are told of volumes that are not ready")
    func problems() {
        var problems = VolumeProblems()
        problems.add("settings", "configmap \"settings\" not found")
        #expect(problems.notices.map(\.message) == ["MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found"])
        problems.add("data", claim: "shop/c", "PVC is not bound")
        #expect(
            problems.notices.last?.message
                == "Unable to attach or mount volumes: unmounted volumes=[data settings], unattached volumes=[], "
                + "failed to process volumes=[data]: error processing PVC shop/c: PVC is not bound")
    }
}
