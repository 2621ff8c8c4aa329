import KubeMachinery
import KubeResources
import Primitives

/// Paths that are no resource: health, version, discovery, OpenAPI.
extension APIServer {
    func answer(path request: APIRequest) async throws -> APIResponse {
        let parts = request.path.split(separator: "/").map { QueryParameters.decoded($0) }
        switch parts.first {
        case nil: return APIResponse(["paths": JSONValue(rootPaths)])
        case "version" where parts.count == 1: return APIResponse(Self.version)
        case "healthz", "livez", "readyz": return try await health(parts, verbose: request.query["verbose"] != nil)
        case "metrics" where parts.count == 1: return .text(try await metrics())
        default: break
        }
        guard ["get", "head"].contains(request.target.verb) else { throw ResourceCall.methodNotAllowed }
        switch (parts.first, parts.count) {
        case ("openapi", 2...): return try openAPI(Array(parts.dropFirst()), accept: request.accept)
        case ("api", _), ("apis", _): return try discovery(parts, accept: request.accept)
        default: throw Self.unknownPath
        }
    }

    static let unknownPath = KubeStatus(code: 404, reason: "NotFound", message: "the server could not find the requested resource")

    private var rootPaths: [String] {
        let groups = catalogue.snapshot.groups.filter { !$0.name.isEmpty }
        return ["/api", "/api/v1", "/apis"] + groups.flatMap { group in group.versions.map { "/apis/\(group.name)/\($0)" } }
            + ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
    }

    private func health(_ parts: [String], verbose: Bool) async throws -> APIResponse {
        do {
            _ = try await storage.revision()
        } catch {
            return .text("[+]ping ok\n[-]storage failed: \(error)\n\(parts[0]) check failed\n", status: 500)
        }
        return .text(verbose ? "[+]ping ok\n[+]storage ok\n\(parts[0]) check passed\n" : "ok")
    }

    private func metrics() async throws -> String {
        """
        # HELP kubeedge_storage_revision The newest revision of the store.
        # TYPE kubeedge_storage_revision counter
        kubeedge_storage_revision \(try await storage.revision())

        """
    }

    private func discovery(_ parts: [String], accept: String) throws -> APIResponse {
        let discovery = Discovery(catalogue.snapshot)
        let representation = try ContentNegotiation.representation(accept: accept)
        func found(_ value: JSONValue?) throws -> APIResponse {
            guard let value else { throw Self.unknownPath }
            return APIResponse(value)
        }
        switch (parts[0], parts.count) {
        case ("api", 1), ("apis", 1):
            let isCore = parts[0] == "api"
            if case .aggregatedDiscovery(let version) = representation {
                return APIResponse(
                    contentType: "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList",
                    body: .json(discovery.aggregated(core: isCore, version: version)))
            }
            return APIResponse(isCore ? Discovery.coreVersions(serverAddress: address) : discovery.groupList)
        case ("api", 2): return try found(discovery.resourceList(GroupVersion(group: "", version: parts[1])))
        case ("apis", 2): return try found(discovery.group(parts[1]))
        case ("apis", 3): return try found(discovery.resourceList(GroupVersion(group: parts[1], version: parts[2])))
        default: throw Self.unknownPath
        }
    }

    private func openAPI(_ parts: [String], accept: String) throws -> APIResponse {
        if parts == ["v2"], accept.contains(Self.protobufV2), !accept.contains("application/json") { return Self.emptyProtobufV2 }
        let text = catalogue.openAPI(parts.joined(separator: "/")) { catalogue in
            let documents = OpenAPIDocuments(catalogue, version: "v1.28.6")
            return switch (parts[0], parts.count) {
            case ("v2", 1): documents.swagger
            case ("v3", 1): documents.index
            case ("v3", 3) where parts[1] == "api": documents.document(GroupVersion(group: "", version: parts[2]))
            case ("v3", 4) where parts[1] == "apis": documents.document(GroupVersion(group: parts[2], version: parts[3]))
            default: nil
            }
        }
        guard let text else { throw Self.unknownPath }
        return APIResponse(body: .text(text))
    }

    private static let protobufV2 = "application/com.github.proto-openapi.spec.v2"

    /// A version 2 document with nothing but its version, in protobuf, which kubectl insists on before it goes on with version 3.
    private static let emptyProtobufV2 = APIResponse(
        contentType: "\(protobufV2).v1.0+protobuf", body: .text("\n\u{3}2.0"))
}
