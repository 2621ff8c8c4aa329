import Glibc
import KubeMachinery
import PodCore
import Primitives
import YAMLDocuments

/// Reads the manifests of a directory (or one file): what changed at once, everything once in a while (`spec/05 §28.1`).
///
/// A file that turns bad keeps the pod of its last good content; only a file that is gone takes its pod along, and a directory
/// that cannot be read takes nothing.
struct StaticPodSource {
    /// What a look found.
    struct Change {
        /// All pods, by the order of their files.
        var pods: [KubeObject]
        /// Sentences about files that are bad, each told once.
        var problems: [String]
    }

    private struct File {
        var stamp: FileStamp
        var pod: KubeObject?
        var problem: String?
        /// When the problem was seen first; a file may still be being written then.
        var seenAt: Duration
        var isTold = false
    }

    private static let sizeLimit = 1 << 20

    private let path: String
    private let node: String
    private let interval: Duration
    private var files: [String: File] = [:]
    private var watch: FileWatch?
    private var nextReadAt = Duration.zero
    /// The path could be read, or is known not to exist.
    private(set) var isKnown = false

    init(path: String, node: String, interval: Duration) {
        self.path = path
        self.node = node
        self.interval = max(interval, .seconds(1))
        isKnown = path.isEmpty
    }

    /// Looks whether something changed; cheap where nothing did. nil: nothing is new.
    mutating func look(now: Duration) -> Change? {
        guard !path.isEmpty else { return nil }
        let isNoticed = watch?.hasNews() ?? false
        let isUnsure = files.values.contains { $0.problem != nil && !$0.isTold }
        guard isNoticed || isUnsure || now >= nextReadAt else { return nil }
        nextReadAt = now + interval
        guard let names = names() else { return nil }
        let wasKnown = isKnown
        isKnown = true
        var isChanged = !wasKnown
        for name in files.keys where !names.contains(name) {
            isChanged = isChanged || files[name]?.pod != nil
            files[name] = nil
        }
        for name in names where read(name, now) { isChanged = true }
        let problems = newProblems(now)
        guard isChanged || !problems.isEmpty else { return nil }
        let (pods, doubles) = unique()
        return Change(pods: pods, problems: problems + (isChanged ? doubles : []))
    }

    /// The paths of the manifests; nil where that cannot be told.
    private mutating func names() -> [String]? {
        var information = stat()
        guard stat(path, &information) == 0 else {
            watch = nil
            return errno == ENOENT ? [] : nil
        }
        // Made before anything is read, so that no change falls between the two.
        if watch?.inode != UInt64(information.st_ino) { watch = FileWatch(path, inode: UInt64(information.st_ino)) }
        if information.st_mode & S_IFMT == S_IFREG { return [path] }
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            if !name.hasPrefix(".") { names.append("\(path)/\(name)") }
            errno = 0
        }
        return errno == 0 ? names.sorted() : nil
    }

    /// Reads a file where it is another than before; true where its pod changed.
    private mutating func read(_ name: String, _ now: Duration) -> Bool {
        guard let stamp = FileStamp(name), stamp.isRegular else { return false }
        let before = files[name]
        if let before, before.stamp == stamp { return false }
        var file = File(stamp: stamp, pod: before?.pod, seenAt: now)
        do throws(StaticPodProblem) {
            file.pod = try StaticPod.make(try Self.document(name, stamp), file: name, node: node)
        } catch {
            file.problem = "\(name): \(error)"
        }
        files[name] = file
        return file.pod != before?.pod
    }

    private static func document(_ name: String, _ stamp: FileStamp) throws(StaticPodProblem) -> JSONValue {
        guard stamp.size <= sizeLimit else { throw StaticPodProblem("the file is larger than \(sizeLimit) bytes") }
        guard let bytes = HostFiles.read(name, limit: sizeLimit) else { throw StaticPodProblem("the file cannot be read") }
        if bytes.first(where: { $0 > 32 }) == UInt8(ascii: "{") {
            do { return try JSONValue(parsing: bytes) } catch { throw StaticPodProblem("the file is no JSON: \(error)") }
        }
        do { return try YAML.parse(String(decoding: bytes, as: UTF8.self)) } catch { throw StaticPodProblem("the file is no YAML: \(error)") }
    }

    /// Problems that have stood for a second.
    private mutating func newProblems(_ now: Duration) -> [String] {
        var problems: [String] = []
        for (name, file) in files.sorted(by: { $0.key < $1.key }) where !file.isTold && now - file.seenAt >= .seconds(1) {
            guard let problem = file.problem else { continue }
            problems.append(file.pod == nil ? problem : "\(problem) (the pod of its earlier content runs on)")
            files[name]?.isTold = true
        }
        return problems
    }

    /// One pod a name: of two files that ask for the same, the first counts.
    private func unique() -> ([KubeObject], [String]) {
        var pods: [ObjectKey: KubeObject] = [:]
        var order: [ObjectKey] = []
        var problems: [String] = []
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            guard let pod = file.pod else { continue }
            if pods[pod.key] != nil || pods.values.contains(where: { $0.uid == pod.uid }) {
                problems.append(
                    "\(name): Error validating pod \(PodView(pod).fullName) from file due to duplicate pod name \"\(pod.name)\", ignoring")
            } else {
                pods[pod.key] = pod
                order.append(pod.key)
            }
        }
        return (order.compactMap { pods[$0] }, problems)
    }
}

/// What tells one content of a file from another without reading it.
private struct FileStamp: Equatable {
    var inode: UInt64
    var size: Int
    var seconds: Int
    var nanoseconds: Int
    var isRegular: Bool

    /// nil where there is no such file.
    init?(_ path: String) {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        inode = UInt64(information.st_ino)
        size = Int(information.st_size)
        seconds = Int(information.st_ctim.tv_sec)
        nanoseconds = Int(information.st_ctim.tv_nsec)
        isRegular = information.st_mode & S_IFMT == S_IFREG
    }
}

/// inotify on one path. Asked instead of waited for: the kubelet's wheel turns anyway.
private final class FileWatch {
    /// What stood under the path when the watch began.
    let inode: UInt64
    private let descriptor: Int32

    /// nil where the path cannot be watched.
    init?(_ path: String, inode: UInt64) {
        self.inode = inode
        // The flags of inotify are those of open.
        descriptor = inotify_init1(O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        let events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB
        guard inotify_add_watch(descriptor, path, UInt32(events)) >= 0 else { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether something happened since it was asked last.
    func hasNews() -> Bool {
        var hasNews = false
        while withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8, { read(descriptor, $0.baseAddress, $0.count) }) > 0 { hasNews = true }
        return hasNews
    }
}
