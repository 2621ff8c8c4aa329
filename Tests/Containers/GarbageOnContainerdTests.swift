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
struct GarbageOnContainerdTests {
    @Test func `the log of a container that writes fast is rotated, and no line is lost`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let backend = FakeKubeletBackend()
            // A quarter of the lines at a time; the next comes when a log has been rotated.
            var pod = KubeletOnContainerdTests.plainPod(
                "writer",
                """
                i=0; while [ $i -lt 60 ]; do i=$((i+1)); seq $((i*1000)) $((i*1000+999)); sleep 0.05
                if [ $((i%15)) = 0 ]; then until [ -e /turns/$i ]; do sleep 0.02; done; fi; done; echo done; sleep 100000
                """)
            pod.spec["volumes"] = [["name": "turns", "emptyDir": [:]]]
            var container = pod.spec["containers"][0]
            container["volumeMounts"] = [["name": "turns", "mountPath": "/turns"]]
            pod.spec["containers"] = [container]
            await backend.start([pod])
            let turns = "\(bed.directory)/edged/pods/\(pod.uid)/volumes/kubernetes.io~empty-dir/turns"
            let directory = "\(bed.directory)/logs/default_writer_\(pod.uid)/main"
            try await KubeletOnContainerdTests.withKubelet(bed, backend) {
                $0.garbage.logSize = 300_000
                $0.garbage.logFiles = 20
                $0.housekeepingInterval = .milliseconds(200)
            } body: {
                for turn in 1...4 {
                    try await bed.eventually("log \(turn) is rotated") { try Self.files(directory).filter { $0 != "0.log" }.count >= turn }
                    try HostFile.write([], to: "\(turns)/\(turn * 15)")
                }
                try await bed.eventually("everything is written and rotated") {
                    let files = try Self.files(directory)
                    // The newest is written to, the one before it waits for the next rotation.
                    guard files.contains(where: { $0.hasSuffix(".gz") }), files.filter({ !$0.hasSuffix(".gz") }).count <= 2 else { return false }
                    return try await Self.text(directory, files).contains(" done\n")
                }
            }
            let files = try Self.files(directory)
            let sizes = files.map { Self.size("\(directory)/\($0)") }
            print("rotated logs: \(zip(files, sizes).map { "\($0) \($1)" })")
            #expect(files.count > 3 && files.count <= 20)
            // A line `<time> stdout F <number>` for every number, in order, over all files. Where containerd changes the file it may part a line
            // into two, so that the digits count and not the lines.
            let lines = try await Self.text(directory, files).split(separator: "\n").map { $0.split(separator: " ", maxSplits: 3).last ?? "" }
            #expect((60_001...60_030).contains(lines.count))
            #expect(lines.joined() == (1000..<61000).map(String.init).joined() + "done", "in order and each once")
        }
    }

    /// Oldest first: the one that is written to comes last.
    private static func files(_ directory: String) throws -> [String] {
        let names = Self.names(directory).filter { !$0.hasSuffix(".tmp") }
        return names.filter { $0 != "0.log" }.sorted() + names.filter { $0 == "0.log" }
    }

    private static func size(_ path: String) -> Int { (try? HostFile.read(path))?.count ?? 0 }

    private static func names(_ directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func text(_ directory: String, _ files: [String]) async throws -> String {
        var text = ""
        for file in files {
            var path = "\(directory)/\(file)"
            if file.hasSuffix(".gz") {
                let plain = "/tmp/rotated-\(UniqueID.next())"
                defer { unlink(plain) }
                guard try await ChildProcess("gzip", ["-dc", path], logFile: plain).wait(for: .seconds(20)) == 0 else { continue }
                text += String(decoding: try HostFile.read(plain), as: UTF8.self)
                path = ""
            }
            // A file may be rotated away in between.
            if !path.isEmpty, let bytes = try? HostFile.read(path) { text += String(decoding: bytes, as: UTF8.self) }
        }
        return text
    }

    @Test func `an unused image is removed, used ones and the sandboxes' stay`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let (unused, wanted) = ("kubeedge.local/unused:1", "kubeedge.local/wanted:1")
            for (index, reference) in [unused, wanted].enumerated() {
                let program = try HostFile.read("/bin/busybox") + [UInt8(index)]
                try await bed.containerd.importImage(BusyboxImage.archive(busybox: program, reference: reference))
                try await bed.eventually("the image is known") { try await bed.runtime.image(reference) != nil }
            }
            #expect(try await bed.runtime.sandboxImage() == BusyboxImage.reference)
            let backend = FakeKubeletBackend()
            var pod = KubeletOnContainerdTests.plainPod("web", "sleep 100000")
            pod.spec["containers"] = .array([pod.spec["containers"][0].merging(["image": .string(wanted)])])
            let object = pod
            await backend.start([object])
            try await KubeletOnContainerdTests.withKubelet(bed, backend) {
                // Every disk is fuller than that.
                $0.garbage.imageHighPercent = 0
                $0.garbage.imageLowPercent = 0
                $0.garbage.minimumImageAge = .zero
                $0.housekeepingInterval = .milliseconds(100)
            } body: {
                try await bed.eventually("it runs") { await backend.pod(object.uid)?.status["phase"] == "Running" }
                try await bed.eventually("the unused image is gone") { try await bed.runtime.image(unused) == nil }
            }
            #expect(try await bed.runtime.image(wanted) != nil)
            #expect(try await bed.runtime.image(BusyboxImage.reference) != nil)
        }
    }
}

extension JSONValue {
    /// The object with these members in place of its own.
    func merging(_ other: JSONValue) -> JSONValue {
        var merged = self
        for (key, value) in other.members { merged[key] = value }
        return merged
    }
}
