package import KubeMachinery
package import Primitives

/// What happened to an object that a node is told about.
package enum ObjectChange: String, Sendable, Hashable {
    case insert, update, delete
}

/// What the cloud tells an edge (`spec/01 §5.4`) and answers it (`§5.5`).
extension EdgeMessage {
    /// An object for a node: the resource is `<ns or null>/<lower-case kind>/<name>`, `kind` and `apiVersion` are filled in.
    package static func object(
        _ change: ObjectChange, _ object: KubeObject, _ kind: GroupVersionKind, source: String = EdgeSource.edgeController
    ) -> EdgeMessage {
        let path = EdgeObjectPath(
            namespace: object.namespace ?? EdgeObjectPath.clusterNamespace, type: EdgeType.word(kind: kind.kind), name: object.name)
        return EdgeMessage(
            source: source, group: EdgeGroup.resource, operation: change.rawValue, resource: path.description,
            content: object.named(kind).json, resourceVersion: object.resourceVersion.nonEmpty)
    }

    /// The removal of an object that is no longer there: only its kind, name, namespace and UID are known (`spec/01 §5.4`, D-31).
    package static func removal(_ key: ObjectKey, uid: String, _ kind: GroupVersionKind, source: String = EdgeSource.edgeController) -> EdgeMessage {
        var object = KubeObject(apiVersion: kind.groupVersion.description, kind: kind.kind, namespace: key.namespace, name: key.name)
        object.uid = uid
        return self.object(.delete, object, kind, source: source)
    }

    /// The cloud's answer to this request: `response`, this id as parent, the same resource.
    package func reply(
        _ content: JSONValue, resourceVersion: String? = nil, source: String = EdgeSource.edgeController, group: String = EdgeGroup.resource
    ) -> EdgeMessage {
        EdgeMessage(
            source: source, group: group, operation: EdgeOperation.response, resource: route.resource, content: content,
            parentID: header.id, resourceVersion: resourceVersion)
    }

    /// Answers with a raw object, as queries want it.
    package func reply(_ object: KubeObject, _ kind: GroupVersionKind) -> EdgeMessage {
        reply(object.named(kind).json, resourceVersion: object.resourceVersion.nonEmpty)
    }

    /// Answers with an `ObjectResponse`; only answers to patches and pod creations say the version in the header too.
    package func reply(_ response: ObjectResponse, hasVersion: Bool = false) -> EdgeMessage {
        let version = hasVersion && response.error.isNull ? KubeObject(response.object).resourceVersion.nonEmpty : nil
        return reply(response.json, resourceVersion: version)
    }

    /// Answers a query with its failure.
    package func reply(_ failure: KubeStatus) -> EdgeMessage { reply(failure.errorContent) }
}

extension KubeObject {
    /// The object with its kind, at the front where it had none: objects out of lists have none.
    fileprivate func named(_ kind: GroupVersionKind) -> KubeObject {
        if self.kind == kind.kind, !apiVersion.isEmpty { return self }
        var members: JSONObject = ["kind": .string(kind.kind), "apiVersion": .string(kind.groupVersion.description)]
        members.merge(json.members) { known, _ in known }
        return KubeObject(.object(members))
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
