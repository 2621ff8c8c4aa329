import KubeMachinery
import KubeResources
import Primitives

extension ResourceCall {
    /// `autoscaling/v1 Scale` of a resource that has replicas.
    func scale(_ verb: String, _ view: ScaleView) async throws -> APIResponse {
        switch verb {
        case "get": return APIResponse(view.scale(of: try await stored()).json)
        case "update":
            let desired = KubeObject(try bodyJSON())
            let stored = try await changed(.whole) { try scaled($0, to: desired, view) }
            return APIResponse(view.scale(of: stored).json)
        case "patch":
            let body = try bodyJSON(accepting: Self.patchTypes)
            let kind = PatchKind(rawValue: ContentNegotiation.mediaType(request.contentType)) ?? .merge
            let stored = try await changed(.whole) { current in
                var document = view.scale(of: current).json
                document["metadata"].removeMember("resourceVersion")
                // A Scale has no lists, so that a strategic patch is a merge patch.
                return try scaled(current, to: KubeObject(try patched(document, by: body, kind == .json ? .json : .merge)), view)
            }
            return APIResponse(view.scale(of: stored).json)
        default: throw Self.methodNotAllowed
        }
    }

    private func scaled(_ current: KubeObject, to scale: KubeObject, _ view: ScaleView) throws -> KubeObject {
        var object = try view.applied(scale, to: current)
        object.resourceVersion = scale.resourceVersion
        if !scale.uid.isEmpty { object.uid = scale.uid }
        return object
    }
}
