import Primitives

/// How the files of a volume are handed to a pod's `fsGroup` (`spec/05 §19.10`).
package struct VolumeOwnership: Sendable, Hashable {
    package var group: UInt32
    package var isReadOnly: Bool
    /// `fsGroupChangePolicy: OnRootMismatch`: a volume whose top fits is left as it is.
    package var looksAtTopOnly: Bool

    /// nil for a pod without `fsGroup`.
    package init?(_ pod: PodView, isReadOnly: Bool) {
        guard let group = pod.securityContext["fsGroup"].int.flatMap({ UInt32(exactly: $0) }) else { return nil }
        self.group = group
        self.isReadOnly = isReadOnly
        looksAtTopOnly = pod.securityContext["fsGroupChangePolicy"].string == "OnRootMismatch"
    }

    /// Permission bits that are added: the group may read, and write unless the volume is read-only; new files keep the group.
    package func addedMode(isDirectory: Bool) -> UInt32 { (isReadOnly ? 0o440 : 0o660) | (isDirectory ? 0o2110 : 0) }

    /// Whether the tree has to be walked, as the top directory's group and mode tell.
    package func isDue(topGroup: UInt32, topMode: UInt32) -> Bool {
        let wanted = addedMode(isDirectory: true)
        return !looksAtTopOnly || topGroup != group || topMode & wanted != wanted
    }
}
