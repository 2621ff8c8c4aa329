import KubeMachinery
import KubeResources
import Primitives

/// One request to a resource on its way through the server.
struct ResourceCall: Sendable {
    let server: APIServer
    let request: APIRequest
    let definition: ResourceDefinition

    var storage: any ResourceStorage { server.storage }
    var target: RequestTarget { request.target }
    var query: QueryParameters { request.query }
    var groupResource: GroupResource { target.resource.groupResource }
    var namespace: String? { definition.isNamespaced ? target.namespace : nil }
    /// Whether the caller only wants to see what would happen.
    var isDryRun: Bool { query.all("dryRun").contains("All") }

    /// The key that the path names; to be called where it names one.
    func key() throws -> ObjectKey {
        guard let name = target.name else { throw KubeStatus.badRequest("name must be provided") }
        return ObjectKey(namespace: namespace, name: name)
    }

    func answer() async throws -> APIResponse {
        guard definition.isNamespaced == false || target.namespace != nil || ["list", "watch"].contains(target.verb) else {
            throw Self.methodNotAllowed
        }
        if let subresource = target.subresource { return try await answer(subresource: subresource) }
        let needsName = ["get", "update", "patch"].contains(target.verb)
        guard definition.verbs.contains(target.verb), !needsName || target.name != nil, target.verb != "create" || target.name == nil
        else { throw Self.methodNotAllowed }
        switch target.verb {
        case "get": return try await get()
        case "list": return try await list()
        case "watch": return try await watch()
        case "create": return try await create()
        case "update": return try await update(.whole)
        case "patch": return try await patch(.whole)
        case "delete": return try await delete()
        case "deletecollection": return try await deleteCollection()
        default: throw Self.methodNotAllowed
        }
    }

    static let methodNotAllowed = KubeStatus(
        code: 405, reason: "MethodNotAllowed", message: "the server does not allow this method on the requested resource")

    static let unknownResource = KubeStatus(
        code: 404, reason: "NotFound", message: "the server could not find the requested resource")
}

/// The part of an object that an update may change.
enum UpdateScope: Sendable {
    case whole
    case status
    /// The approval conditions of a CertificateSigningRequest.
    case approval
    /// `spec.finalizers` of a namespace.
    case finalize
    case ephemeralContainers
    /// The node of a pod, with its `PodScheduled` condition.
    case binding
}

extension ResourceCall {
    /// The body as JSON; 415 and 400 where it is none.
    func bodyJSON(accepting types: Set<String> = ["application/json"]) throws -> JSONValue {
        let type = ContentNegotiation.mediaType(request.contentType)
        if type == ProtobufBody.mediaType { return try ProtobufBody.decode(request.body) }
        guard type.isEmpty || type == "*/*" || types.contains(type) else {
            throw KubeStatus(
                code: 415, reason: "UnsupportedMediaType",
                message: "the body of the request was in an unknown format - accepted media types include: "
                    + types.sorted().joined(separator: ", "))
        }
        do {
            return try JSONValue(parsing: request.body, limits: JSONLimits(size: APIServer.bodyLimit, depth: 512))
        } catch {
            throw KubeStatus.badRequest("the object provided is unrecognized (must be of type \(definition.kind)): \(error)")
        }
    }

    /// The object in the body, checked against the path.
    func bodyObject() throws -> KubeObject {
        var object = KubeObject(try bodyJSON())
        try check(&object)
        return object
    }

    /// Fills in or checks apiVersion, kind and namespace against the path.
    func check(_ object: inout KubeObject) throws {
        guard object.json.object != nil, object.json["metadata"].isNull || object.json["metadata"].object != nil else {
            throw KubeStatus.badRequest("the object provided is unrecognized (must be of type \(definition.kind)): no JSON object")
        }
        let version = target.resource.groupVersion.description
        if object.apiVersion.isEmpty { object.apiVersion = version }
        if object.kind.isEmpty { object.kind = definition.kind }
        guard object.apiVersion == version else {
            throw KubeStatus.badRequest(
                "the API version in the data (\(object.apiVersion)) does not match the expected API version (\(version))")
        }
        guard object.kind == definition.kind else {
            throw KubeStatus.badRequest(
                "\(object.kind) in version \"\(target.resource.version)\" cannot be handled as a \(definition.kind)")
        }
        if definition.isNamespaced {
            if let given = object.namespace, given != target.namespace {
                throw KubeStatus.badRequest("the namespace of the provided object does not match the namespace sent on the request")
            }
            object.namespace = target.namespace
        } else {
            object.namespace = nil
        }
        for field in ["managedFields", "selfLink"] { object.metadata.removeMember(field) }
    }

    /// Holds an object against the schema of its kind and removes what the schema does not know.
    ///
    /// Returns the unknown fields as texts for warnings, or refuses them, as the caller wants; values of a wrong type are always refused.
    func checkFields(_ object: inout KubeObject) throws -> [String] {
        let opening = "\(definition.kind) in version \"\(target.resource.version)\" cannot be handled as a \(definition.kind): "
        let unknown: [String]
        let pruned: JSONValue
        if let schema = definition.structuralSchema {
            let result = schema.pruned(object.json)
            (pruned, unknown) = (result.object, result.unknownFields.map { "unknown field \"\($0)\"" })
        } else {
            let table = BuiltInSchemas.table
            let findings = table.findings(in: object.json, type: definition.kind)
            if let cause = findings.wrongType { throw KubeStatus.badRequest(opening + cause) }
            unknown = findings.unknownFields
            pruned = unknown.isEmpty ? object.json : table.pruned(object.json, type: definition.kind)
        }
        guard !unknown.isEmpty else { return [] }
        let mode = query["fieldValidation"] ?? "Warn"
        if mode == "Strict" {
            throw KubeStatus.badRequest(opening + "strict decoding error: " + unknown.joined(separator: ", "))
        }
        object.json = pruned
        return mode == "Ignore" ? [] : unknown
    }
}

extension ResourceCall {
    /// One object in the form the client accepts.
    func respond(_ object: KubeObject, status: Int = 200, warnings: [String] = []) throws -> APIResponse {
        APIResponse(try presenter().one(object), status: status, warnings: warnings)
    }

    func presenter() throws -> Presenter {
        Presenter(
            definition: definition, apiVersion: target.resource.groupVersion.description,
            representation: try ContentNegotiation.representation(accept: request.accept),
            includeObject: query["includeObject"].flatMap(KubeTable.IncludedObject.init) ?? .metadata, clock: server.clock)
    }
}
