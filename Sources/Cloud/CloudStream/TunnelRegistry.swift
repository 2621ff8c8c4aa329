import EdgeTransport

/// The tunnels that are open to this instance, by node and by the node's address.
actor TunnelRegistry {
    struct Entry {
        let node: String
        let address: String
        let session: TunnelSession
        let usesCredit: Bool
        /// Which of the tunnels of a node it is: a late end of an old one never ends the new one.
        let epoch: UInt64
    }

    private var byNode: [String: Entry] = [:]
    private var epoch: UInt64 = 0
    private var lastStream: UInt64 = 0

    /// Keeps a tunnel; returns it and the one it replaces.
    func add(node: String, address: String, session: TunnelSession, usesCredit: Bool) -> (Entry, replaced: TunnelSession?) {
        epoch += 1
        let entry = Entry(node: node, address: address, session: session, usesCredit: usesCredit, epoch: epoch)
        let former = byNode.updateValue(entry, forKey: node)
        return (entry, former?.session)
    }

    func remove(_ entry: Entry) {
        if byNode[entry.node]?.epoch == entry.epoch { byNode[entry.node] = nil }
    }

    func tunnel(node: String) -> Entry? { byNode[node] }
    /// The tunnel of the node with an address; the newest where several have it.
    func tunnel(address: String) -> Entry? { byNode.values.filter { $0.address == address }.max { $0.epoch < $1.epoch } }

    /// A stream number that no other tunnel of this instance has used (`spec/01 §9.2`).
    func nextStream() -> UInt64 {
        lastStream += 1
        return lastStream
    }

    var nodes: [String] { byNode.keys.sorted() }
}
