package import KubeMachinery

/// Which store of a node it is: another one where the file was lost with its disk, removed, or rebuilt after damage.
///
/// A sync record is about what one store holds. An edge announces its store in the upgrade, as a word of the header `Kubeedge-Capabilities`; the record
/// names it in an annotation. Where the two differ the node may not have what its record says, and the object is sent again. A Go edge announces none, and
/// its records name none.
package struct StoreIdentity: Sendable, Hashable {
    /// The annotation of an ObjectSync or ClusterObjectSync.
    package static let annotation = "edge.kubeedge.io/store"
    private static let prefix = "store="
    private static let longest = 64

    package let text: String

    package init(_ number: UInt64) { text = String(number, radix: 16) }

    /// What a sync record says; nil where it says nothing, as those of Go edges.
    package init?(record: KubeObject) {
        guard let text = record.annotations[Self.annotation] else { return nil }
        self.text = text
    }

    /// What a peer announces; nil where it announces no store.
    package init?(announcement words: Set<String>) {
        let texts = words.filter { $0.hasPrefix(Self.prefix) }.map { $0.dropFirst(Self.prefix.count) }
        guard texts.count == 1, let text = texts.first, !text.isEmpty, text.utf8.count <= Self.longest,
            text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 })
        else { return nil }
        self.text = String(text)
    }

    package var announcement: String { Self.prefix + text }
}
