package import KubeMachinery
package import Primitives

/// What the cloud tells an edge (`spec/01 §5.4–5.12`).
package enum CloudToEdgeMessage: MessageBody {
    case object(ObjectChange, EdgeObjectPath, KubeObject)
    /// `OK` to a request or report.
    case done(EdgeResource)
    /// A raw object in answer to a query.
    case found(EdgeObjectPath, KubeObject)
    /// The outcome of a creation, a patch or a lease request.
    case outcome(EdgeObjectPath, ObjectResponse)
    /// An error in answer to a query, in one of Go's shapes.
    case refusal(EdgeResource, JSONValue)
    case kubernetesCA(pem: String)
    case membership(JSONValue)
    /// The answer to a request of MetaServer.
    case applicationAnswer(EdgeResource, JSONValue)
    /// Work for a node; `type` is `upgrade` or `prepull`.
    case task(type: String, id: String, node: String, JSONValue)
    /// Of group `user`: a topic, URL or port and path, with its payload.
    case route(operation: String, String, JSONValue)
    case volume(VolumeOperation, EdgeObjectPath, JSONValue)
    case other(MessageParts)

    package init(_ message: EdgeMessage) {
        let parts = MessageParts(message.route.operation, message.resource, message.content)
        if message.route.group == EdgeGroup.user {
            self = .route(operation: parts.operation, message.route.resource, parts.content)
        } else {
            self = Self.change(parts) ?? Self.answer(parts) ?? Self.order(parts) ?? .other(parts)
        }
    }

    private static func change(_ parts: MessageParts) -> Self? {
        guard let path = parts.resource.path, path.name != nil else { return nil }
        if let operation = VolumeOperation(rawValue: parts.operation) { return .volume(operation, path, parts.content) }
        guard let change = ObjectChange(rawValue: parts.operation), let object = parts.content.objectValue else { return nil }
        return .object(change, path, KubeObject(object))
    }

    private static func answer(_ parts: MessageParts) -> Self? {
        guard parts.operation == EdgeOperation.response else { return nil }
        if parts.content == "OK" { return .done(parts.resource) }
        if case .kubernetesCA = parts.resource, let pem = parts.content.string { return .kubernetesCA(pem: pem) }
        guard let path = parts.resource.path else { return .refusal(parts.resource, parts.content) }
        if let response = ObjectResponse(json: parts.content) { return .outcome(path, response) }
        guard parts.content["metadata"].object != nil, parts.content.member("ErrStatus") == nil else {
            return .refusal(parts.resource, parts.content)
        }
        return .found(path, KubeObject(parts.content))
    }

    private static func order(_ parts: MessageParts) -> Self? {
        switch (parts.operation, parts.resource) {
        case (EdgeOperation.update, .membership): .membership(parts.content)
        case ("applicationResponse", let resource): .applicationAnswer(resource, parts.content)
        case (let operation, .nodeTask(let type, let id, let node)) where operation == type:
            .task(type: type, id: id, node: node, parts.content)
        default: nil
        }
    }

    package var parts: MessageParts {
        switch self {
        case .object(let change, let path, let object): MessageParts(change.rawValue, .object(path), object.json)
        case .done(let resource): MessageParts(EdgeOperation.response, resource, "OK")
        case .found(let path, let object): MessageParts(EdgeOperation.response, .object(path), object.json)
        case .outcome(let path, let response): MessageParts(EdgeOperation.response, .object(path), response.json)
        case .refusal(let resource, let error): MessageParts(EdgeOperation.response, resource, error)
        case .kubernetesCA(let pem): MessageParts(EdgeOperation.response, .kubernetesCA, .string(pem))
        case .membership(let content): MessageParts(EdgeOperation.update, .membership, content)
        case .applicationAnswer(let resource, let content): MessageParts("applicationResponse", resource, content)
        case .task(let type, let id, let node, let content): MessageParts(type, .nodeTask(type: type, id: id, node: node), content)
        case .route(let operation, let resource, let content): MessageParts(operation, EdgeResource(resource), content)
        case .volume(let operation, let path, let content): MessageParts(operation.rawValue, .object(path), content)
        case .other(let parts): parts
        }
    }
}
