import AsyncHTTPClient
package import KubeMachinery
package import Logging
import NIOCore
import NIOSSL
package import Primitives

/// A Kubernetes API over HTTPS.
///
/// Every verb throws `KubeStatus`: the server's own, or 503 `ServiceUnavailable` with the server's address and the cause where there
/// is no answer (not retried here), or 504 `Timeout`. A call may take 30 s; answers of 429, and of 5xx with `Retry-After`, are tried again up to
/// three times, never later than 10 s. Bodies end at 64 MiB. Call `shutdown()` before letting go of a client.
package final class KubeClient: KubeAPI {
    /// What a client may spend.
    package struct Limits: Sendable {
        /// A whole call, its body included.
        package var call: Duration = .seconds(30)
        /// For a place among the connections too: calls of a fleet that comes back wait their turn instead of failing and being repeated.
        package var connect: Duration = .seconds(30)
        /// A watch that is silent for so long is taken as dead; one that lives is ended by the server before, and begun again.
        package var silence: Duration = .seconds(150)
        /// Bytes of an answer.
        package var body = 64 << 20
        /// Bytes of one line of a watch.
        package var line = 16 << 20
        package var attempts = 4

        package init() {}
    }

    /// The address in the form `https://host:port`.
    package let server: String
    let limits: Limits
    let logger: Logger
    let clock: any MomentSource
    let credentials: CredentialSource
    let calls: HTTPClient
    let watches: HTTPClient

    /// Throws `KubeClientError` where certificate, key or authorities are no PEM that TLS can use.
    package init(_ access: ClusterAccess, limits: Limits = Limits(), clock: any MomentSource = SystemClock(), logger: Logger) throws(KubeClientError)
    {
        server = access.server
        self.limits = limits
        self.logger = logger
        self.clock = clock
        credentials = CredentialSource(access.credential, clock: clock)
        var configuration = HTTPClient.Configuration(tlsConfiguration: try access.tlsConfiguration())
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = TimeAmount(limits.connect)
        configuration.timeout.read = TimeAmount(limits.call)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16
        calls = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        configuration.timeout.read = TimeAmount(limits.silence)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
        watches = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Ends all calls and watches; the client is of no use afterwards.
    package func shutdown() async {
        for client in [calls, watches] {
            do { try await client.shutdown() } catch { logger.debug("closing the connections failed", metadata: ["error": "\(error)"]) }
        }
    }
}

extension KubeClient {
    package func get(_ resource: GroupVersionResource, _ key: ObjectKey, subresource: String?) async throws -> KubeObject {
        KubeObject(try await call(.get(resource, key, subresource: subresource)))
    }

    package func list(_ resource: GroupVersionResource, _ query: ListQuery) async throws -> KubeList {
        let request = KubeRequest.list(resource, query)
        let answer = try await call(request)
        guard let items = answer["items"].array ?? (answer.member("items")?.isNull == true ? [] : nil) else {
            throw KubeStatus.internalError("\(server)\(request.path) did not answer with a list")
        }
        // The elements of a list leave out what the list says for all of them.
        let version = answer["apiVersion"]
        let kind = answer["kind"].string.flatMap { $0.hasSuffix("List") && $0 != "List" ? JSONValue.string(String($0.dropLast(4))) : nil }
        let objects = items.map { item -> KubeObject in
            guard item["kind"].isNull, let kind else { return KubeObject(item) }
            var members: JSONObject = ["apiVersion": version, "kind": kind]
            members.merge(item.members) { own, _ in own }
            return KubeObject(.object(members))
        }
        let next = answer.at("metadata", "continue").string
        return KubeList(
            items: objects, resourceVersion: answer.at("metadata", "resourceVersion").string ?? "", next: next?.isEmpty == false ? next : nil)
    }

    package func create(_ resource: GroupVersionResource, namespace: String?, name: String?, _ object: KubeObject, subresource: String?)
        async throws -> KubeObject
    {
        KubeObject(
            try await call(.create(resource, namespace: namespace ?? object.namespace, name: name ?? object.name, object, subresource: subresource)))
    }

    package func update(_ resource: GroupVersionResource, _ object: KubeObject, subresource: String?) async throws -> KubeObject {
        KubeObject(try await call(.update(resource, object, subresource: subresource)))
    }

    package func patch(_ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: PatchKind, subresource: String?)
        async throws -> KubeObject
    {
        KubeObject(try await call(.patch(resource, key, patch, kind, subresource: subresource)))
    }

    package func delete(_ resource: GroupVersionResource, _ key: ObjectKey, options: JSONValue) async throws -> KubeObject {
        KubeObject(try await call(.delete(resource, key, options: options)))
    }

    /// The JSON that the server answers to a GET of a path, `/version` for one.
    package func get(path: String) async throws -> JSONValue { try await call(KubeRequest(.get, path)) }
}
