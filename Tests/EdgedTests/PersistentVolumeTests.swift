import EdgeTesting
import Glibc
import KubeMachinery
import PodCore
import Primitives
import Supervision
import Testing

@testable import Edged

@Suite(.enabled(if: getuid() == 0, "mounting needs root")) struct PersistentVolumeTests {
    private static func claim(_ phase: String = "Bound") -> KubeObject {
        KubeObject([
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "c", "namespace": "default", "uid": "u1"],
            "spec": ["volumeName": "pv1"], "status": ["phase": .string(phase)],
        ])
    }

    private static func persistent(_ source: JSONValue, annotations: JSONValue = [:]) -> KubeObject {
        var volume = KubeObject([
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": "pv1", "annotations": annotations],
            "spec": ["claimRef": ["namespace": "default", "name": "c", "uid": "u1"]],
        ])
        for (key, value) in source.members { volume.spec[key] = value }
        return volume
    }

    private static func pod(_ source: JSONValue, mount: JSONValue = [:], security: JSONValue = [:]) -> KubeObject {
        var volume: JSONValue = ["name": "data"]
        for (key, value) in source.members { volume[key] = value }
        var mounts: JSONValue = ["name": "data", "mountPath": "/data"]
        for (key, value) in mount.members { mounts[key] = value }
        return makePod("web", ["volumes": [volume], "securityContext": security], container: ["volumeMounts": [mounts]])
    }

    private static let claimed = pod(["persistentVolumeClaim": ["claimName": "c"]])

    private static func dataPath(_ bed: KubeletBed) async throws -> String {
        let plan = try #require(await bed.runtime.plan(ofContainer: "web-main"))
        return try #require(plan.mounts.first { $0.containerPath == "/data" }?.hostPath)
    }

    @Test func `a local volume is bound, survives the agent, and its data outlive the pod`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let disk = bed.directory + "/disk"
        try OwnDirectory(disk).makeDirectory("deep")
        try HostFiles.create(Array("kept".utf8), at: disk + "/deep/file", mode: 0o600)
        symlink("/etc/passwd", disk + "/link")
        await bed.backend.put(persistent: Self.claim())
        await bed.backend.put(persistent: Self.persistent(["local": ["path": .string(disk)]], annotations: ["pv.beta.kubernetes.io/gid": "4321"]))
        let pod = Self.pod(["persistentVolumeClaim": ["claimName": "c"]], security: ["fsGroup": 1234])
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            let path = try await Self.dataPath(bed)
            #expect(path == bed.configuration.rootDirectory + "/pods/uid-web/volumes/kubernetes.io~local-volume/pv1")
            #expect(Mounts.isMounted(path) && HostFiles.text(path + "/deep/file") == "kept")
            var information = stat()
            #expect(stat(disk + "/deep/file", &information) == 0 && information.st_gid == 1234 && information.st_mode & 0o777 == 0o660)
            #expect(stat(disk + "/deep", &information) == 0 && information.st_gid == 1234 && information.st_mode & 0o2070 == 0o2070)
            #expect(stat("/etc/passwd", &information) == 0 && information.st_gid != 1234)
            let plan = await bed.runtime.plan(ofContainer: "web-main")
            #expect(plan?.security.supplementalGroups == [1234, 4321])
            #expect(await bed.runtime.sandboxPlans.values.first?.supplementalGroups == [1234, 4321])
        }
        // What the pod changed is not changed back by the next agent.
        chmod(disk + "/deep/file", 0o600)
        try await bed.running {
            try await bed.eventually("it is adopted") { await bed.runtime.calls(of: "createContainer").count == 1 }
            await bed.pass(.seconds(5))
            #expect(Mounts.points(below: bed.configuration.rootDirectory).count == 1)
            var information = stat()
            #expect(stat(disk + "/deep/file", &information) == 0 && information.st_mode & 0o777 == 0o600)
            await bed.backend.delete(pod.uid, grace: 1)
            try await bed.eventually("it is gone") { !HostFiles.exists(bed.configuration.rootDirectory + "/pods/uid-web") }
            #expect(Mounts.points(below: bed.directory).isEmpty)
            #expect(HostFiles.text(disk + "/deep/file") == "kept")
        }
    }

    @Test func `a pod waits for its claim and says so, and runs once the claim is bound`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let events = bed.events
        let disk = bed.directory + "/disk"
        try OwnDirectory(disk).makeDirectory()
        await bed.backend.put(persistent: Self.claim("Pending"))
        await bed.backend.put(persistent: Self.persistent(["hostPath": ["path": .string(disk), "type": "Directory"]]))
        try await bed.running { [bed] in
            await bed.backend.start([Self.claimed])
            try await bed.eventually("it is told") { events.reasons.contains("FailedMount") }
            #expect(
                events.message("FailedMount")
                    == "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], "
                    + "failed to process volumes=[data]: error processing PVC default/c: PVC is not bound")
            #expect(await bed.waitingReason(Self.claimed) == "ContainerCreating")
            await bed.backend.put(persistent: Self.claim())
            try await bed.eventually("it runs") { await bed.phase(Self.claimed) == "Running" }
            #expect(try await Self.dataPath(bed) == disk)
        }
    }

    @Test func `a node that cannot ask the cloud says what it does not know`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let events = bed.events
        await bed.backend.fail("persistentVolumeClaim", .serviceUnavailable("the cloud cannot be asked now"))
        try await bed.running { [bed] in
            await bed.backend.start([Self.claimed])
            try await bed.eventually("it is told") {
                events.message("FailedMount")?.hasSuffix("failed to fetch PVC from API server: the cloud cannot be asked now") == true
            }
        }
    }

    @Test(
        arguments: [
            (["csi": ["driver": "x"]], "use a persistent volume of type local, hostPath or nfs"), (["gitRepo": [:]], "init container"),
            (["nfs": ["server": "nowhere.invalid", "path": "/share"]], "NFS share nowhere.invalid:/share"),
            (["hostPath": ["path": "/nowhere/at/all", "type": "Directory"]], "hostPath type check failed: /nowhere/at/all is not a directory"),
        ] as [(JSONValue, String)])
    func `what cannot be mounted is refused in words that help`(_ source: JSONValue, _ words: String) async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let events = bed.events
        let pod = Self.pod(source)
        try await bed.running { [bed] in
            await bed.backend.start([pod])
            let deadline = SystemClock().now().uptime + .seconds(20)
            try await bed.eventually("it is told", within: .seconds(3600)) {
                SystemClock().now().uptime > deadline || events.reasons.contains("FailedMount")
            }
            let message = try #require(events.message("FailedMount"))
            #expect(message.contains(words) && message.hasPrefix("MountVolume.SetUp failed for volume \"data\" : "), "\(message)")
            await bed.backend.delete(pod.uid, grace: 1)
            try await bed.eventually("it can be deleted") { await bed.backend.deletedPods == ["web"] }
        }
    }

    @Test func `an NFS server that is not there is named with what to do`() async throws {
        let path = "/tmp/edged-nfs-\(UniqueID.next())"
        try OwnDirectory(path).makeDirectory()
        defer { rmdir(path) }
        let mount = NFSMount(server: "127.0.0.1", export: "/share", options: ["soft", "timeo=1", "retrans=0"], limit: .seconds(20))
        let failure = await #expect(throws: EdgedFailure.self) { try await mount.mount(at: path) }
        let message = failure?.message ?? ""
        #expect(message.contains("127.0.0.1:/share"), "\(message)")
        #expect(!Mounts.isMounted(path))
        for odd in [("-o", "/x"), ("", "/x"), ("10.0.0.1", "x")] {
            await #expect(throws: EdgedFailure.self) { try await NFSMount(server: odd.0, export: odd.1, options: []).mount(at: path) }
        }
    }

    @Test func `a directory of the pod keeps the mode that the pod gave it`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = Self.pod(["emptyDir": [:]], security: ["fsGroup": 1234])
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
        let path = try await Self.dataPath(bed)
        var information = stat()
        #expect(stat(path, &information) == 0 && information.st_mode & 0o7777 == 0o2777 && information.st_gid == 1234)
        chmod(path, 0o700)
        try await bed.running {
            try await bed.eventually("it is adopted") { await bed.phase(pod) == "Running" }
            await bed.pass(.seconds(3))
            var information = stat()
            #expect(stat(path, &information) == 0 && information.st_mode & 0o7777 == 0o700)
        }
    }

    @Test(.enabled(if: LoopDisk.isPossible, "loop devices and mkfs.ext4 are needed"))
    func `a disk of the node is mounted with its file system, and is never formatted`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        try OwnDirectory(bed.directory).makeDirectory()
        try await LoopDisk.with(bed.directory + "/image") { disk in try await Self.useDisk(bed, disk) }
    }

    private static func useDisk(_ bed: KubeletBed, _ disk: LoopDisk) async throws {
        let path = bed.configuration.rootDirectory + "/pods/uid-web/volumes/kubernetes.io~local-volume/pv1"
        let mounter = VolumeMounter(context: try bed.context(), pod: PodView(makePod("web", ["securityContext": ["fsGroup": 1234]])))
        func plan(isReadOnly: Bool) -> VolumePlan {
            .local(source: disk.device, path: path, fileSystem: "ext4", options: ["noatime"], isReadOnly: isReadOnly)
        }
        let refusal = await #expect(throws: EdgedFailure.self) { try await mounter.mount(plan(isReadOnly: false)) }
        #expect(refusal?.message.contains("mkfs.ext4 \(disk.device)") == true, "\(refusal?.message ?? "")")
        try await disk.format()
        try await mounter.mount(plan(isReadOnly: false))
        #expect(Mounts.isMounted(path) && HostFiles.exists(path + "/lost+found"))
        var information = stat()
        #expect(stat(path, &information) == 0 && information.st_gid == 1234)
        try HostFiles.create([1], at: path + "/file", mode: 0o600)
        try Mounts.unmountAll(below: bed.directory)
        // A container that another test starts holds a copy of every mount for a moment, and a disk that is mounted to be written stays so meanwhile.
        try await bed.eventually("the disk is free") {
            do { try await mounter.mount(plan(isReadOnly: true)) } catch let failure as EdgedFailure where failure.message.contains("busy") {
                return false
            }
            return true
        }
        #expect(HostFiles.exists(path + "/file"))
        #expect(throws: EdgedFailure.self) { try HostFiles.create([1], at: path + "/other", mode: 0o600) }
        try Mounts.unmountAll(below: bed.directory)
        try HostPathCheck.check(disk.device, .blockDevice)
    }

    // MARK: - Parts of volumes

    @Test func `a part that leads out of its volume is refused`() throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let volume = bed.directory + "/volume"
        try OwnDirectory(volume).makeDirectory("inside")
        try OwnDirectory(bed.directory).makeDirectory("outside")
        symlink(bed.directory + "/outside", volume + "/absolute")
        symlink("../outside", volume + "/relative")
        symlink("inside", volume + "/within")
        for part in ["absolute", "relative", "absolute/new", "relative/new/er"] {
            #expect(throws: EdgedFailure.self, "\(part)") { try Mounts.bind(part, of: volume, to: bed.directory + "/target-\(part.count)") }
        }
        #expect(try OwnDirectory(bed.directory + "/outside").contents().isEmpty)
        #expect(Mounts.points(below: bed.directory).isEmpty)
        try Mounts.bind("within", of: volume, to: bed.directory + "/target")
        #expect(Mounts.points(below: bed.directory) == [bed.directory + "/target"])
    }

    @Test func `a part of a volume of files follows at the next start of the container only`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        @Sendable func map(_ colour: String) -> KubeObject {
            var map = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "settings")
            map.json["data"] = ["colour": .string(colour)]
            return map
        }
        let pod = Self.pod(["configMap": ["name": "settings"]], mount: ["subPath": "colour"])
        await bed.backend.put(configMap: map("blue"))
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            let path = try await Self.dataPath(bed)
            #expect(HostFiles.text(path) == "blue")
            await bed.backend.put(configMap: map("red"))
            let whole = bed.configuration.rootDirectory + "/pods/uid-web/volumes/kubernetes.io~configmap/data/colour"
            try await bed.eventually("the volume follows") { HostFiles.text(whole) == "red" }
            #expect(HostFiles.text(path) == "blue")
            await bed.runtime.end("web-main", code: 1)
            try await bed.eventually("it runs again", within: .seconds(60)) { await bed.runtime.calls(of: "createContainer").count == 2 }
            #expect(HostFiles.text(path) == "red")
            #expect(Mounts.points(below: path).count == 1)
        }
    }
}

/// A file that the kernel shows as a disk.
private struct LoopDisk: Sendable {
    let device: String

    static var isPossible: Bool {
        getuid() == 0 && HostFiles.exists("/dev/loop-control") && HelperProgram.find("losetup") != nil && HelperProgram.find("mkfs.ext4") != nil
    }

    /// A disk of 8 MiB while `body` runs.
    static func with(_ file: String, _ body: (LoopDisk) async throws -> Void) async throws {
        let disk = try await LoopDisk(file)
        do { try await body(disk) } catch {
            await disk.detach()
            throw error
        }
        await disk.detach()
    }

    private init(_ file: String) async throws {
        try HostFiles.create([], at: file, mode: 0o600)
        try #require(truncate(file, 8 << 20) == 0)
        let result = try await Self.run("losetup", ["--find", "--show", file])
        device = result
    }

    func format() async throws { _ = try await Self.run("mkfs.ext4", ["-q", device]) }
    func detach() async { _ = try? await Self.run("losetup", ["--detach", device]) }

    private static func run(_ name: String, _ arguments: [String]) async throws -> String {
        let program = try #require(HelperProgram.find(name))
        let result = try await HelperProgram(program, arguments).run(limit: .seconds(30))
        try #require(result.status == 0, "\(name): \(result.output)")
        return result.output
    }
}
