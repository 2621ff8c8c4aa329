package import KubeMachinery
import KubeResources
package import Logging
package import Primitives

/// The Kubernetes API over a `ResourceStorage`, without a socket: a request goes in, an answer comes out.
///
/// It knows nothing of where objects are kept. The embedded control plane serves one over its SQLite store;
/// MetaServer serves the same over the edge's. Parts that are nil are not enforced.
package struct APIServer: Sendable {
    /// Bytes of the largest body of a request, as at Kubernetes.
    package static let bodyLimit = 3 << 20
    /// What `/version` answers.
    package static let version: JSONValue = [
        "major": "1", "minor": "28", "gitVersion": "v1.28.6+kubeedge", "gitCommit": "", "gitTreeState": "clean", "buildDate": "",
        "goVersion": "", "compiler": "swift", "platform": "linux/amd64",
    ]

    let storage: any ResourceStorage
    let catalogue: ServedCatalogue
    let authenticator: Authenticator?
    let accessPolicy: (any AccessPolicy)?
    let admission: Admission?
    let tokens: ServiceAccountTokens?
    /// `host:port` as clients reach the server.
    let address: String
    let clock: any MomentSource
    let logger: Logger

    package init(
        storage: any ResourceStorage, catalogue: ServedCatalogue, authenticator: Authenticator? = nil, accessPolicy: (any AccessPolicy)? = nil,
        admission: Admission? = nil, tokens: ServiceAccountTokens? = nil, address: String = "127.0.0.1:6443", clock: any MomentSource, logger: Logger
    ) {
        self.storage = storage
        self.catalogue = catalogue
        self.authenticator = authenticator
        self.accessPolicy = accessPolicy
        self.admission = admission
        self.tokens = tokens
        self.address = address
        self.clock = clock
        self.logger = logger
    }

    /// Answers a request; whatever goes wrong becomes a `Status`.
    package func answer(_ request: APIRequest) async -> APIResponse {
        do {
            return try await answered(request)
        } catch let failure as KubeStatus {
            return APIResponse(failure)
        } catch is CancellationError {
            return APIResponse(KubeStatus.serviceUnavailable("the server is shutting down"))
        } catch {
            logger.error("request failed", metadata: ["path": "\(request.path)", "error": "\(error)"])
            return APIResponse(KubeStatus.internalError("\(error)"))
        }
    }

    private func answered(_ request: APIRequest) async throws -> APIResponse {
        try await authorize(request)
        let target = request.target
        guard target.isResource else { return try await answer(path: request) }
        if let answer = try await review(request) { return answer }
        if target.resource == GroupVersionResource(resource: "bindings"), target.verb == "create" { return try await bindLegacy(request) }
        guard let definition = catalogue.definition(target.resource) else { throw ResourceCall.unknownResource }
        return try await ResourceCall(server: self, request: request, definition: definition).answer()
    }

    private func authorize(_ request: APIRequest) async throws {
        guard let accessPolicy else { return }
        if !request.target.isResource, Self.openPaths.contains(where: { request.path == $0 || request.path.hasPrefix($0 + "/") }) { return }
        if request.user == .anonymous { throw Authenticator.unauthorized }
        let access = AccessRequest(request)
        guard try await accessPolicy.allows(access) else { throw access.refusal }
    }

    /// Paths that everybody may read.
    private static let openPaths = ["/healthz", "/livez", "/readyz", "/version"]

    /// `POST /api/v1/namespaces/<ns>/bindings`: the older way to bind a pod.
    private func bindLegacy(_ request: APIRequest) async throws -> APIResponse {
        guard let pods = catalogue.definition(Resources.pods) else { throw ResourceCall.unknownResource }
        let body = try ResourceCall(server: self, request: request, definition: pods).bodyJSON()
        let name = body.at("metadata", "name").string ?? ""
        var bound = request
        bound.path = Resources.pods.path(namespace: request.target.namespace) + "/\(name)/binding"
        let again = APIRequest(
            method: "POST", path: bound.path, query: request.query, user: request.user, contentType: request.contentType,
            accept: request.accept, body: request.body)
        return try await ResourceCall(server: self, request: again, definition: pods).answer()
    }

    /// To be called after every write: definitions of resources and rules of access follow the store.
    func didWrite(_ resource: GroupResource, removed: KubeObject? = nil) async {
        accessPolicy?.didWrite(group: resource.group)
        if let removed { admission?.didRemove(resource, removed) }
        guard resource == Resources.customResourceDefinitions.groupResource else { return }
        do { try await followDefinitions(removed: removed) } catch {
            logger.error("custom resource definitions could not be followed", metadata: ["error": "\(error)"])
        }
    }
}

extension APIServer {
    func admit(creating object: KubeObject, call: ResourceCall) async throws -> Admission.Outcome {
        guard let admission else { return Admission.Outcome(object: object) }
        return try await admission.admit(creating: object, call.groupResource, user: call.request.user, isDryRun: call.isDryRun)
    }

    func admit(updating object: inout KubeObject, over current: KubeObject, call: ResourceCall) throws {
        try admission?.admit(updating: &object, over: current, call.groupResource)
    }

    func admit(deleting object: KubeObject, call: ResourceCall) throws {
        try admission?.admit(deleting: object, call.groupResource)
    }
}
