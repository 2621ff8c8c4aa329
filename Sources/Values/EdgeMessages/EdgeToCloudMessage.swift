package import KubeMachinery
package import Primitives

/// What an edge tells the cloud (`spec/01 §3.4, §5.5–5.12`).
package enum EdgeToCloudMessage: MessageBody {
    case keepalive
    /// The message that is the parent is durable.
    case acknowledgement(EdgeResource)
    /// An answer to a request of the cloud, such as one for a volume.
    case answer(EdgeResource, JSONValue)
    /// Something could not be kept; the cloud will repeat it.
    case failure(EdgeResource, text: String)
    case query(EdgeObjectPath)
    /// A `TokenRequest` for the service account that the path names.
    case tokenRequest(EdgeObjectPath, JSONValue)
    case create(EdgeObjectPath, KubeObject)
    case update(EdgeObjectPath, KubeObject)
    /// A strategic merge patch, as the text that travels.
    case patch(EdgeObjectPath, text: String)
    /// With `DeleteOptions`, from old edges the UID as text.
    case delete(EdgeObjectPath, JSONValue)
    case kubernetesCA
    case deviceTwin(namespace: String, name: String, JSONValue)
    case deviceState(namespace: String, name: String, JSONValue)
    case membershipDetail(JSONValue)
    /// A request of MetaServer.
    case application(JSONValue)
    case applicationWatch(JSONValue)
    /// How a task goes on a node; `type` is `upgrade` or `prepull`.
    case taskReport(type: String, id: String, node: String, JSONValue)
    /// Of group `user`: a topic, URL or nothing, with its payload.
    case upload(String, JSONValue)
    /// The empty message that Go edges end with (`spec/01 §3.2`).
    case zero
    case other(MessageParts)

    package init(_ message: EdgeMessage) {
        let parts = MessageParts(message.route.operation, message.resource, message.content)
        self = Self.general(message, parts) ?? Self.object(parts) ?? Self.device(parts) ?? .other(parts)
    }

    private static func general(_ message: EdgeMessage, _ parts: MessageParts) -> Self? {
        let content = parts.content
        switch (parts.operation, parts.resource) {
        case ("", .none) where message.route.source.isEmpty && content.isNull: return .zero
        case (EdgeOperation.upload, _) where message.route.group == EdgeGroup.user: return .upload(message.route.resource, content)
        case (EdgeOperation.keepalive, .keepalive) where content == "ping": return .keepalive
        case (EdgeOperation.response, let resource): return content == "OK" ? .acknowledgement(resource) : .answer(resource, content)
        case (EdgeOperation.error, let resource): return content.string.map { .failure(resource, text: $0) }
        case (EdgeOperation.query, .kubernetesCA) where content.isNull: return .kubernetesCA
        case ("null", .application): return .application(content)
        case ("null", .applicationWatch): return .applicationWatch(content)
        case (let type, .taskReport(let id, let node)): return .taskReport(type: type, id: id, node: node, content)
        default: return nil
        }
    }

    private static func object(_ parts: MessageParts) -> Self? {
        guard let path = parts.resource.path else { return nil }
        let content = parts.content
        switch parts.operation {
        case EdgeOperation.query where path.type == EdgeType.serviceAccountToken: return content.objectValue.map { .tokenRequest(path, $0) }
        case EdgeOperation.query: return content.isNull ? .query(path) : nil
        case EdgeOperation.insert: return content.objectValue.map { .create(path, KubeObject($0)) }
        case EdgeOperation.update: return content.objectValue.map { .update(path, KubeObject($0)) }
        case EdgeOperation.patch: return content.string.map { .patch(path, text: $0) }
        case EdgeOperation.delete: return .delete(path, content)
        default: return nil
        }
    }

    private static func device(_ parts: MessageParts) -> Self? {
        switch (parts.operation, parts.resource) {
        case (EdgeOperation.update, .deviceTwin(let namespace, let name)): .deviceTwin(namespace: namespace, name: name, parts.content)
        case (EdgeOperation.update, .deviceState(let namespace, let name)): .deviceState(namespace: namespace, name: name, parts.content)
        case ("get", .membershipDetail): .membershipDetail(parts.content)
        default: nil
        }
    }

    package var parts: MessageParts {
        switch self {
        case .keepalive: MessageParts(EdgeOperation.keepalive, .keepalive, "ping")
        case .acknowledgement(let resource): MessageParts(EdgeOperation.response, resource, "OK")
        case .answer(let resource, let content): MessageParts(EdgeOperation.response, resource, content)
        case .failure(let resource, let text): MessageParts(EdgeOperation.error, resource, .string(text))
        case .query(let path): MessageParts(EdgeOperation.query, .object(path), .null)
        case .tokenRequest(let path, let request): MessageParts(EdgeOperation.query, .object(path), request)
        case .create(let path, let object): MessageParts(EdgeOperation.insert, .object(path), object.json)
        case .update(let path, let object): MessageParts(EdgeOperation.update, .object(path), object.json)
        case .patch(let path, let text): MessageParts(EdgeOperation.patch, .object(path), .string(text))
        case .delete(let path, let options): MessageParts(EdgeOperation.delete, .object(path), options)
        case .kubernetesCA: MessageParts(EdgeOperation.query, .kubernetesCA, .null)
        case .deviceTwin(let namespace, let name, let content):
            MessageParts(EdgeOperation.update, .deviceTwin(namespace: namespace, name: name), content)
        case .deviceState(let namespace, let name, let content):
            MessageParts(EdgeOperation.update, .deviceState(namespace: namespace, name: name), content)
        case .membershipDetail(let content): MessageParts("get", .membershipDetail, content)
        case .application(let content): MessageParts("null", .application, content)
        case .applicationWatch(let content): MessageParts("null", .applicationWatch, content)
        case .taskReport(let type, let id, let node, let content): MessageParts(type, .taskReport(id: id, node: node), content)
        case .upload(let resource, let content): MessageParts(EdgeOperation.upload, EdgeResource(resource), content)
        case .zero: MessageParts("", .none, .null)
        case .other(let parts): parts
        }
    }
}
