package import EdgeMessages

/// The ObjectSync or ClusterObjectSync that says which version of an object a node holds (`spec/01 §6.4`).
package struct SyncRecordKey: Sendable, Hashable {
    /// The namespace of the record, which is that of the object; nil for a ClusterObjectSync.
    package var namespace: String?
    package var node: String
    package var uid: String
    package var objectAPIVersion: String
    /// Empty where it is not known: then a missing record cannot be created.
    package var objectKind: String
    package var objectName: String

    /// `<node>.<uid>`.
    package var name: String { "\(node).\(uid)" }

    /// The record of the object in a message for `node`; nil where none is kept.
    ///
    /// Volumes and attachments travel under namespace `default` though they have none: a record there could never be resolved (D-03).
    package init?(_ message: EdgeMessage, node: String) {
        guard message.route.group == EdgeGroup.resource, let uid = message.objectUID, let path = message.resource.path,
            let name = path.name
        else { return nil }
        let isClusterScoped = path.type == EdgeType.persistentVolume || path.type == EdgeType.volumeAttachment
        guard !isClusterScoped || path.namespace == EdgeObjectPath.clusterNamespace else { return nil }
        namespace = path.namespace == EdgeObjectPath.clusterNamespace ? nil : path.namespace
        self.node = node
        self.uid = uid
        objectAPIVersion = message.content["apiVersion"].string ?? ""
        objectKind = message.content["kind"].string ?? ""
        objectName = name
    }

    /// Reads the node and the UID out of a record's name: the UID is what follows the last dot.
    package static func parse(name: String) -> (node: String, uid: String)? {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
        let uid = name[name.index(after: dot)...]
        return uid.isEmpty ? nil : (String(name[..<dot]), String(uid))
    }
}

/// What is to be done with a record; each is idempotent and ends in `NodeSession.recordDone`.
package enum SyncRecordCommand: Sendable, Hashable {
    /// Read the recorded version; where there is no record, create one at version 0.
    ///
    /// An empty or unreadable version counts as 0 (D-02, D-24).
    case open(SyncRecordKey)
    /// Set the recorded version, creating the record where it is missing; never to an older one.
    case write(SyncRecordKey, version: UInt64)
    /// Remove the record; one that is missing is no error.
    case remove(SyncRecordKey)

    package var key: SyncRecordKey {
        switch self {
        case .open(let key), .write(let key, _), .remove(let key): key
        }
    }
}

/// How a command ended.
package enum SyncRecordOutcome: Sendable, Hashable {
    /// The version that is recorded now; 0 after a removal.
    case done(version: UInt64)
    case failed
}
