import Primitives

/// Whether the cloud repeats a message until the edge has acknowledged it (`spec/01 §6.2`).
package enum DeliveryClass: Sendable, Hashable {
    /// Kept, repeated, recorded.
    case acknowledged
    /// Sent once.
    case once
}

/// The operations of volume plugins (`spec/01 §5.7`).
package enum VolumeOperation: String, Sendable, CaseIterable {
    case create = "createvolume"
    case delete = "deletevolume"
    case publish = "controllerpublishvolume"
    case unpublish = "controllerunpublishvolume"
}

extension EdgeMessage {
    /// How this message from the cloud, its resource in wire form, is delivered.
    ///
    /// The type element decides, never a part of a name (`spec/01` D-07).
    package var deliveryClass: DeliveryClass {
        guard route.group == EdgeGroup.resource, VolumeOperation(rawValue: route.operation) == nil,
            route.source != EdgeSource.taskManager, route.source != EdgeSource.nodeUpgradeJobController,
            case .object(let path) = resource, path.name != nil
        else { return .once }
        switch route.operation {
        case EdgeOperation.insert, EdgeOperation.update, EdgeOperation.delete: break
        case EdgeOperation.response:
            // "OK" and errors have no identity.
            guard content["metadata"]["uid"].string?.isEmpty == false else { return .once }
        default: return .once
        }
        return Self.isSentOnce(path.type, source: route.source, operation: route.operation) ? .once : .acknowledged
    }

    private static func isSentOnce(_ type: String, source: String, operation: String) -> Bool {
        switch type {
        case EdgeType.podList, EdgeType.serviceAccountToken: true
        case EdgeType.node, EdgeType.lease, EdgeType.nodePatch, EdgeType.podPatch, EdgeType.podStatus, EdgeType.signingRequest:
            source == EdgeSource.edgeController
        case EdgeType.pod: source == EdgeSource.edgeController && operation == EdgeOperation.response
        default: false
        }
    }

    /// Whether this message ends an object at the edge, now or soon: versions do not hold it back (`spec/01 §6.2`).
    package var isDeleteLike: Bool {
        route.operation == EdgeOperation.delete || content["metadata"]["deletionTimestamp"].string != nil
    }

    /// The version of the object in the content; 0 where it is missing or no number (`spec/01` D-24).
    package var objectVersion: UInt64 { header.resourceVersion.flatMap { UInt64($0) } ?? 0 }

    /// The UID of the object in the content; nil where there is none.
    package var objectUID: String? { content["metadata"]["uid"].string.flatMap { $0.isEmpty ? nil : $0 } }
}
