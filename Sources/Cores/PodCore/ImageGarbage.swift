package import Primitives

/// Which images are taken away, in which order, and when (`spec/05 §24.4`).
///
/// An image that is used by a container of whatever state, named by a pod that has not ended, pinned by the runtime, or run as a sandbox
/// stays. The others go by when they were used last, then by when they were seen first.
package struct ImageGarbage: Sendable {
    private struct Record {
        /// Uptime; nil for an image that was there before the agent.
        var firstSeen: Duration?
        var lastUsed: Duration?
        var isUsed = false
    }

    private var records: [String: Record] = [:]
    private var hasLooked = false

    package init() {}

    /// Takes note of what is there and what of it is used: every five minutes, and before anything is removed.
    ///
    /// - Parameter used: References of any kind: IDs, tags, digests, and names as pods write them.
    package mutating func look(_ images: [ImageState], used: Set<String>, now: Moment) {
        let present = Set(images.map(\.id))
        records = records.filter { present.contains($0.key) }
        for image in images {
            var record = records[image.id] ?? Record(firstSeen: hasLooked ? now.uptime : nil)
            record.isUsed = Self.isUsed(image, used)
            if record.isUsed { record.lastUsed = now.uptime }
            records[image.id] = record
        }
        hasLooked = true
    }

    /// The images that may go, the first to go first.
    package func candidates(_ images: [ImageState], policy: GarbagePolicy, now: Moment) -> [ImageState] {
        let free = images.filter { image in
            guard let record = records[image.id], !record.isUsed, !image.isPinned else { return false }
            return record.firstSeen.map { now.uptime - $0 >= policy.minimumImageAge } ?? true
        }
        func key(_ image: ImageState) -> (Duration, Duration, String) {
            let record = records[image.id]
            return (record?.lastUsed ?? .zero, record?.firstSeen ?? .zero, image.id)
        }
        return free.sorted { key($0) < key($1) }
    }

    /// Bytes to free on a file system of `capacity` bytes with `available` left; nil where it is not full enough.
    package static func excess(capacity: Int64, available: Int64, policy: GarbagePolicy) -> Int64? {
        guard capacity > 0, policy.imageHighPercent < 100 else { return nil }
        let free = min(max(available, 0), capacity)
        let used = 100 - Int64(Int128(free) * 100 / Int128(capacity))
        guard used >= policy.imageHighPercent else { return nil }
        let wanted = Int64(Int128(capacity) * Int128(100 - policy.imageLowPercent) / 100)
        return wanted > free ? wanted - free : nil
    }

    private static func isUsed(_ image: ImageState, _ used: Set<String>) -> Bool {
        used.contains(image.id) || image.tags.contains(where: used.contains) || image.digests.contains(where: used.contains)
    }
}

extension ImageReference {
    /// The ways a runtime may write what a pod names: `busybox` is also `docker.io/library/busybox:latest`.
    package static func spellings(_ name: String) -> [String] {
        guard let reference = try? ImageReference(name) else { return [name] }
        let complete = reference.complete
        let parts = complete.split(separator: "/", omittingEmptySubsequences: false)
        let first = parts.first ?? ""
        let hasHost = parts.count > 1 && (first == "localhost" || first.contains(".") || first.contains(":"))
        return hasHost ? [name, complete] : [name, complete, "docker.io/" + (parts.count == 1 ? "library/" : "") + complete]
    }
}
