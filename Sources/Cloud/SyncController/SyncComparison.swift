import DeliveryCore
import EdgeMessages
import KubeMachinery
import Primitives

/// A sync record as the comparison reads it: which version of which object a node holds (`spec/01 §6.4`).
struct RecordedObject: Hashable {
    var record: ObjectKey
    var node: String
    var uid: String
    /// The object's namespace and name; nil namespace for one of the whole cluster.
    var key: ObjectKey
    var kind: GroupVersionKind
    /// 0 where the record says nothing or no number (`spec/01` D-02, D-24).
    var version: UInt64
    /// The store that holds it; nil for that of a Go edge.
    var store: StoreIdentity?

    /// Reads an ObjectSync or ClusterObjectSync; nil for one that no session can have made.
    init?(_ record: KubeObject) {
        guard let (node, uid) = SyncRecordKey.parse(name: record.name), let name = record.spec["objectName"].string, !name.isEmpty,
            let kind = record.spec["objectKind"].string, !kind.isEmpty
        else { return nil }
        self.record = record.key
        self.node = node
        self.uid = uid
        key = ObjectKey(namespace: record.namespace, name: name)
        self.kind = GroupVersionKind(record.spec["objectAPIVersion"].string ?? "v1", kind)
        store = StoreIdentity(record: record)
        version = record.status["objectResourceVersion"].string.flatMap { UInt64($0) } ?? 0
    }
}

/// What is known of an object in the cluster.
enum ObjectLookup {
    /// `changedAt`: the version at which it last changed in a way that edges care about.
    case found(KubeObject, changedAt: UInt64)
    /// A whole, successful list does not hold it.
    case absent
    /// It could not be read: nothing follows from that (`spec/06` T54).
    case unknown
}

/// What a node has to be told because of a record, or what has to happen to the record.
enum SyncDirective: Hashable {
    case send(EdgeMessage, node: String)
    case removeRecord(ObjectKey)
}

/// Compares what nodes hold with what the cluster has (`spec/01 §6.6`).
enum SyncComparison {
    /// The directive for one record. `nodeExists` is nil while the nodes are not known; with `isOtherStore` the node has another store than the one that the
    /// record is about.
    static func compare(
        _ record: RecordedObject, nodeExists: Bool?, isConnected: Bool, isOtherStore: Bool = false, _ lookup: ObjectLookup
    ) -> SyncDirective? {
        if nodeExists == false { return .removeRecord(record.record) }
        guard isConnected else { return nil }
        switch lookup {
        case .unknown: return nil
        case .absent: return .send(removal(record), node: record.node)
        case .found(let object, let changedAt):
            if object.uid != record.uid { return .send(removal(record), node: record.node) }
            guard changedAt > record.version || isOtherStore else { return nil }
            return .send(.object(.update, object, record.kind, source: source(record.kind)), node: record.node)
        }
    }

    /// A stub with kind, so that the edge's copies for other readers go too (`spec/01` D-31).
    private static func removal(_ record: RecordedObject) -> EdgeMessage {
        .removal(record.key, uid: record.uid, record.kind, source: source(record.kind))
    }

    /// The edge's device modules listen to their own controller only (`spec/01` D-30).
    private static func source(_ kind: GroupVersionKind) -> String {
        kind.groupVersion.group == "devices.kubeedge.io" ? EdgeSource.deviceController : EdgeSource.edgeController
    }
}
