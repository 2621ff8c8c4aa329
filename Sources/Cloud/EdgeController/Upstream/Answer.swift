import EdgeMessages
import KubeMachinery
import Primitives

/// What came of a request.
enum RequestResult {
    case object(KubeObject, GroupVersionKind)
    case done(resourceVersion: String)
    case failed(KubeStatus)
}

extension AnswerForm {
    /// The answer to a request in the form its kind has (`spec/01 §5.5`). Results of creations and patches have no kind on the wire.
    func answer(to message: EdgeMessage, _ result: RequestResult) -> EdgeMessage {
        switch (self, result) {
        case (.raw, .object(let object, let kind)): message.reply(object, kind)
        case (.raw, .done(let version)), (.done, .done(let version)): message.reply("OK", resourceVersion: version.isEmpty ? nil : version)
        case (.done, .object(let object, _)): message.reply("OK", resourceVersion: object.resourceVersion)
        case (.raw, .failed(let status)), (.done, .failed(let status)): message.reply(status)
        case (.outcome(let empty, let hasVersion), .object(let object, _)):
            // Only a lister gives the kind with the object, and only a lister gives null beside an error.
            message.reply(ObjectResponse(empty.isNull ? object : object.withoutKind), hasVersion: hasVersion)
        case (.outcome(let empty, _), .failed(let status)): message.reply(ObjectResponse(status, object: empty))
        case (.outcome(let empty, _), .done): message.reply(ObjectResponse(KubeObject(empty)))
        }
    }
}

extension KubeObject {
    fileprivate var withoutKind: KubeObject {
        var object = self
        object.json.removeMember("kind")
        object.json.removeMember("apiVersion")
        return object
    }

    /// The object with its kind and without managed fields.
    func named(_ kind: GroupVersionKind) -> KubeObject {
        var object = self
        object.metadata.removeMember("managedFields")
        guard object.kind != kind.kind || object.apiVersion.isEmpty else { return object }
        var members: JSONObject = ["kind": .string(kind.kind), "apiVersion": .string(kind.groupVersion.description)]
        members.merge(object.json.members) { made, _ in made }
        return KubeObject(.object(members))
    }
}

extension KubeStatus {
    /// The form in which Go's caches say that an object is missing: the kind in the singular (`spec/01 §5.3`).
    static func missing(_ kind: GroupVersionKind, _ name: String) -> KubeStatus {
        .notFound(GroupResource(group: kind.groupVersion.group, resource: kind.kind.lowercased()), name)
    }
}
