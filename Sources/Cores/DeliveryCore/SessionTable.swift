/// Which session of which node is the live one: every session has an epoch, and a late end of an old one changes nothing.
package struct SessionTable: Sendable {
    /// Nodes that may be connected at once.
    package let limit: Int
    private var epochs: [String: UInt64] = [:]
    private var last: UInt64 = 0

    package init(limit: Int) { self.limit = limit }

    package enum Admission: Sendable, Hashable {
        /// The session of this epoch is live; that of `replacing` is to be ended.
        case admitted(epoch: UInt64, replacing: UInt64?)
        case full
    }

    /// Opens a session; a node that is there already is always let in again (`spec/01` D-63).
    package mutating func open(_ node: String) -> Admission {
        let replaced = epochs[node]
        guard replaced != nil || epochs.count < limit else { return .full }
        last += 1
        epochs[node] = last
        return .admitted(epoch: last, replacing: replaced)
    }

    /// Whether a node could connect now.
    package func admits(_ node: String) -> Bool { epochs[node] != nil || epochs.count < limit }

    /// Ends a session; false where another has taken its place.
    package mutating func close(_ node: String, epoch: UInt64) -> Bool {
        guard epochs[node] == epoch else { return false }
        epochs[node] = nil
        return true
    }

    package func epoch(of node: String) -> UInt64? { epochs[node] }

    /// The nodes with a live session, in order of their names.
    package var nodes: [String] { epochs.keys.sorted() }
}
