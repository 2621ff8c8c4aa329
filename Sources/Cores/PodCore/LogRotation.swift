package import Primitives

/// Where the log of a container lies below the directory of all logs: `<namespace>_<name>_<uid>/<container>/<attempt>.log` (`spec/05 §8.6`).
package struct ContainerLog: Sendable, Hashable {
    /// `<namespace>_<name>_<uid>/<container>`.
    package let directory: String
    /// `<attempt>.log`.
    package let file: String

    /// Read from the labels that the runtime keeps; nil where they could lead anywhere else.
    package init?(_ container: ContainerState) {
        let labels = container.labels
        let parts = [labels[ContainerLabel.podNamespace], labels[ContainerLabel.podName], labels[ContainerLabel.podUID], container.name]
        let names = parts.compactMap { $0 }.filter { name in
            !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
        }
        guard names.count == parts.count else { return nil }
        directory = "\(names[0])_\(names[1])_\(names[2])/\(names[3])"
        file = "\(container.restartCount).log"
    }

    /// Whether a file of the directory belongs to this log: itself, or a part that was rotated away.
    package func owns(_ name: String) -> Bool { name == file || name.hasPrefix(file + ".") }
}

/// What is done when a log has grown too long (`spec/05 §23.2`).
///
///     0.log                         written to
///     0.log.20261123-111557         rotated away last, as it is: the runtime may still write a line to it
///     0.log.20261123-110301.gz      the older ones
package struct LogRotation: Sendable, Hashable {
    /// Files to remove: unfinished ones, those that were compressed, and the oldest beyond the limit.
    package var removals: [String]
    /// Rotated files to compress, each into one of its name with `.gz`.
    package var compressions: [String]
    /// What the log that is written to is renamed to.
    package var newName: String

    package static let compressedSuffix = ".gz"
    package static let temporarySuffix = ".tmp"

    /// Whether a log of so many bytes is due.
    package static func isDue(size: Int64, policy: GarbagePolicy) -> Bool { policy.logSize > 0 && size >= policy.logSize }

    /// - Parameter files: Names of everything in the log's directory.
    package init(of log: ContainerLog, files: [String], policy: GarbagePolicy, now: Timestamp) {
        let rotated = files.filter { $0 != log.file && log.owns($0) }
        let present = Set(rotated)
        func isUseless(_ name: String) -> Bool {
            name.hasSuffix(Self.temporarySuffix) || present.contains(name + Self.compressedSuffix)
        }
        // The stamp in the names sorts by time.
        var kept = rotated.filter { !isUseless($0) }.sorted()
        removals = rotated.filter(isUseless).sorted()
        // The log itself and what it is renamed to now count as well.
        let excess = max(0, kept.count - max(0, policy.logFiles - 2))
        removals += kept.prefix(excess)
        kept.removeFirst(excess)
        compressions = kept.filter { !$0.hasSuffix(Self.compressedSuffix) }
        // Several within a second: the names go on counting, so that they sort and look as ever.
        var time = now
        func name() -> String { "\(log.file).\(time.compactStamp)" }
        while present.contains(name()) || present.contains(name() + Self.compressedSuffix) { time = time + .seconds(1) }
        newName = name()
    }
}

extension Timestamp {
    /// `20261123-111557`.
    package var compactStamp: String {
        let parts = rfc3339.dropLast().split(separator: "T")
        return parts.map { $0.filter(\.isNumber) }.joined(separator: "-")
    }
}
