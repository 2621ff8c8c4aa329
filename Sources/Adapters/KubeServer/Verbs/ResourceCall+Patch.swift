import KubeMachinery
import KubeResources
import Primitives

extension ResourceCall {
    static let applyPatch = "application/apply-patch+yaml"
    static let patchTypes: Set<String> = [
        PatchKind.json.rawValue, PatchKind.merge.rawValue, PatchKind.strategic.rawValue, applyPatch,
    ]

    private var isCustom: Bool { definition.structuralSchema != nil }

    func patch(_ scope: UpdateScope) async throws -> APIResponse {
        let type = ContentNegotiation.mediaType(request.contentType)
        let body = try bodyJSON(accepting: Self.patchTypes)
        if type == Self.applyPatch { return try await apply(body, scope) }
        guard let kind = PatchKind(rawValue: type) else {
            throw KubeStatus(code: 415, reason: "UnsupportedMediaType", message: "the body of the request was in an unknown format")
        }
        if kind == .strategic, isCustom {
            throw KubeStatus(
                code: 415, reason: "UnsupportedMediaType",
                message: "the body of the request was in an unknown format - accepted media types include: "
                    + "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
        }
        var warnings: [String] = []
        let stored = try await changed(scope) { current in
            var patched = KubeObject(try patched(current.json, by: body, kind))
            // A patch that names no version means whatever is stored.
            if patched.resourceVersion == current.resourceVersion, !Self.names(version: body, kind) { patched.resourceVersion = "" }
            guard patched.name == current.name else {
                throw KubeStatus.badRequest(
                    "the name of the object (\(patched.name)) does not match the name on the URL (\(current.name))")
            }
            try check(&patched)
            warnings = try checkFields(&patched)
            return patched
        }
        return try respond(stored, warnings: warnings)
    }

    /// The document after a patch; 422 where the patch does not fit it, 400 where it is none.
    func patched(_ document: JSONValue, by patch: JSONValue, _ kind: PatchKind) throws -> JSONValue {
        switch kind {
        case .json: return try JSONPatch(json: patch).apply(to: document)
        case .merge:
            guard patch.object != nil else { throw KubeStatus.badRequest("error decoding patch: no JSON object") }
            return MergePatch.apply(patch, to: document)
        case .strategic:
            guard patch.object != nil else { throw KubeStatus.badRequest("error decoding patch: no JSON object") }
            guard let schema = definition.mergeSchema else { return MergePatch.apply(patch, to: document) }
            return try StrategicMergePatch.apply(patch, to: document, schema: schema)
        }
    }

    private static func names(version patch: JSONValue, _ kind: PatchKind) -> Bool {
        guard kind == .json else { return !patch["metadata"]["resourceVersion"].isNull }
        return patch.elements.contains { $0["path"].string == "/metadata/resourceVersion" }
    }

    /// Server-side apply without field ownership: the configuration is merged into the object, or creates it.
    ///
    /// A field that an earlier configuration set and this one leaves out stays: nobody keeps a record of who set it.
    private func apply(_ configuration: JSONValue, _ scope: UpdateScope) async throws -> APIResponse {
        var object = KubeObject(configuration)
        guard query["fieldManager"]?.isEmpty == false else {
            throw KubeStatus(
                code: 422, reason: "Invalid",
                message: "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
                details: ["group": "meta.k8s.io", "kind": "PatchOptions"])
        }
        try check(&object)
        let key = try key()
        if object.name.isEmpty { object.name = key.name }
        guard object.name == key.name else {
            throw KubeStatus.badRequest("the name of the object (\(object.name)) does not match the name on the URL (\(key.name))")
        }
        let warnings = try checkFields(&object)
        let configured = object
        for attempt in 1... {
            do {
                if try await storage.object(groupResource, key) == nil, case .whole = scope {
                    return try respond(try await created(configured), status: 201, warnings: warnings)
                }
                let stored = try await changed(scope) { current in
                    var merged = KubeObject(
                        try patched(current.json, by: configured.json, isCustom ? .merge : .strategic))
                    merged.resourceVersion = configured.resourceVersion
                    return merged
                }
                return try respond(stored, warnings: warnings)
            } catch let failure as KubeStatus where attempt < 3 && (failure.isAlreadyExists || failure.isNotFound) {
                // Somebody else made or removed it between the look and the write.
                if case .whole = scope { continue }
                throw failure
            }
        }
        preconditionFailure("the loop above ends by return or throw")
    }
}
