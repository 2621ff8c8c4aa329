import CMalloc
import Glibc
import Primitives
import Supervision

/// The pages of the program's own code and constants that are mapped into this process.
///
/// The kernel maps sixteen pages around each one that is touched, and a start touches code that is never needed again. Giving all of them
/// back costs a few hundred cheap faults; what is in use comes back, the rest stays out of this process's share of memory.
enum ProgramPages {
    /// One mapping of a file, as `/proc/self/maps` tells it.
    struct Mapping: Equatable {
        var start: UInt
        var end: UInt
        var isCode: Bool
        var path: String
    }

    /// Gives back what is mapped of the program and its libraries: code, and constants that lie before the code in the file.
    ///
    /// Constants behind the code may hold relocated addresses that exist only in this process: they stay.
    static func giveBack() {
        guard let text = (try? FileText.read("/proc/self/maps")) ?? nil else { return }
        for mapping in returnable(text) {
            madvise(UnsafeMutableRawPointer(bitPattern: mapping.start), Int(mapping.end - mapping.start), MADV_DONTNEED)
        }
    }

    /// The mappings that hold nothing but what the file holds.
    static func returnable(_ maps: String) -> [Mapping] {
        let all = maps.split(separator: "\n").compactMap(mapping)
        return all.filter { mapping in
            mapping.isCode || all.contains { $0.isCode && $0.path == mapping.path && $0.start >= mapping.end }
        }
    }

    /// Reads `<start>-<end> r-xp <offset> <device> <inode> <path>`; nil for what can be written or has no file.
    private static func mapping(_ line: Substring) -> Mapping? {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count == 6, fields[1] == "r-xp" || fields[1] == "r--p" else { return nil }
        // The path stands in a column of its own.
        let path = fields[5].drop { $0 == " " }
        guard path.hasPrefix("/"), !path.hasSuffix("(deleted)") else { return nil }
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard bounds.count == 2, bounds[0] < bounds[1] else { return nil }
        return Mapping(start: bounds[0], end: bounds[1], isCode: fields[1] == "r-xp", path: String(path))
    }

    /// Gives back once the start is over, and then from time to time: pages of the program every ten minutes, and each minute what of the
    /// heap nobody uses, for a rush of pods leaves holes in it that the allocator keeps.
    static func keepFew(clock: any MomentSource) async throws {
        try await clock.wait(until: clock.now().uptime + .seconds(15))
        while true {
            giveBack()
            for _ in 0..<10 {
                malloc_trim(0)
                try await clock.wait(until: clock.now().uptime + .seconds(60))
            }
        }
    }
}
