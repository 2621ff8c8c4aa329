import DeliveryCore
import EdgeMessages
import KubeClient
import KubeMachinery

/// What the cloud has to do because something changed.
enum DownstreamDirective {
    case send(EdgeMessage, node: String)
    case disconnect(node: String)
    /// Everything a node should have is to be sent to it.
    case replay(node: String)
}

/// Turns changes of the cluster into messages for nodes (`spec/01 §8.3`).
struct Downstream {
    private(set) var contents = NodeContents()

    static let podKind = GroupVersionKind("v1", "Pod")
    static let configMapKind = GroupVersionKind("v1", "ConfigMap")
    static let secretKind = GroupVersionKind("v1", "Secret")

    mutating func podChanged(_ change: InformerChange) -> [DownstreamDirective] {
        let object = change.object
        if case .deleted = change { contents.remove(pod: object.key) } else { contents.set(pod: object) }
        guard let node = object.spec["nodeName"].string, contents.edgeNodes.contains(node) else { return [] }
        switch change {
        case .added: return [send(object.deletionTimestamp == nil ? .insert : .update, object, Self.podKind, to: node)]
        case .updated(let old, let new):
            guard EdgeRelevance.content(of: old, isPod: true) != EdgeRelevance.content(of: new, isPod: true) else { return [] }
            return [send(.update, new, Self.podKind, to: node)]
        case .deleted: return [send(.delete, object, Self.podKind, to: node)]
        }
    }

    /// A pod may name what does not exist yet: so creations are sent too.
    func configMapChanged(_ change: InformerChange) -> [DownstreamDirective] {
        let operation: ObjectChange =
            switch change {
            case .added: .insert
            case .updated: .update
            case .deleted: .delete
            }
        return contents.nodes(usingConfigMap: change.object.key).map { send(operation, change.object, Self.configMapKind, to: $0) }
    }

    /// Secrets travel as `update`, new ones too.
    func secretChanged(_ change: InformerChange) -> [DownstreamDirective] {
        let operation: ObjectChange = if case .deleted = change { .delete } else { .update }
        return contents.nodes(usingSecret: change.object.key).map { send(operation, change.object, Self.secretKind, to: $0) }
    }

    mutating func nodeChanged(_ change: InformerChange) -> [DownstreamDirective] {
        let node = change.object.name
        if case .deleted = change { return contents.remove(node: node) ? [.disconnect(node: node)] : [] }
        guard contents.set(node: change.object) else { return [] }
        return contents.edgeNodes.contains(node) ? [.replay(node: node)] : [.disconnect(node: node)]
    }

    /// What a node should have that the API server has, newest content given by the caches.
    func replay(
        node: String, pod: (ObjectKey) -> KubeObject?, configMap: (ObjectKey) -> KubeObject?, secret: (ObjectKey) -> KubeObject?
    ) -> [EdgeMessage] {
        guard contents.edgeNodes.contains(node) else { return [] }
        var messages: [EdgeMessage] = []
        var configMaps: Set<ObjectKey> = []
        var secrets: Set<ObjectKey> = []
        for entry in contents.pods(on: node) {
            for name in entry.references.configMaps { configMaps.insert(ObjectKey(namespace: entry.key.namespace, name: name)) }
            for name in entry.references.secrets { secrets.insert(ObjectKey(namespace: entry.key.namespace, name: name)) }
        }
        // What pods use goes first: a pod that starts finds its newest configuration.
        messages += configMaps.sorted().compactMap(configMap).map { EdgeMessage.object(.update, $0, Self.configMapKind) }
        messages += secrets.sorted().compactMap(secret).map { EdgeMessage.object(.update, $0, Self.secretKind) }
        for entry in contents.pods(on: node) {
            guard let object = pod(entry.key), object.uid == entry.uid else { continue }
            messages.append(.object(object.deletionTimestamp == nil ? .insert : .update, object, Self.podKind))
        }
        return messages
    }

    private func send(_ change: ObjectChange, _ object: KubeObject, _ kind: GroupVersionKind, to node: String) -> DownstreamDirective {
        .send(.object(change, object, kind), node: node)
    }
}
