internal import EdgeMessages
package import KubeMachinery
internal import ObjectStore
internal import PodCore
package import Primitives

extension MetaManager {
    /// When the cloud gave a token.
    static let obtainedAnnotation = "edge.kubeedge.io/obtained"

    /// A token for exactly what was asked: the stored one while it is fresh, else a new one of the cloud, else the stored one however old.
    package func serviceAccountToken(namespace: String, serviceAccount: String, request: JSONValue) async throws -> KubeObject {
        let record = Self.tokenKey(namespace, serviceAccount, request)
        let stored = try await store.object(EdgeRecords.tokens, record)
        if let stored, Self.isFresh(stored, at: clock.now().wall) { return stored }
        do {
            let account = ObjectKey(namespace: namespace, name: serviceAccount)
            guard case .object(var answer) = try await ask(.requestToken(serviceAccount: account, request), timeout: configuration.queryTimeout)
            else { throw KubeStatus.internalError("the cloud answered a token request of \(account) without a token") }
            answer.metadata["namespace"] = .string(namespace)
            answer.metadata["name"] = .string(record.name)
            answer.metadata["annotations"][Self.obtainedAnnotation] = .string(clock.now().wall.rfc3339)
            try await store.apply([.put(EdgeRecords.tokens, answer)])
            return answer
        } catch let status as KubeStatus where status.isRetryable && stored != nil {
            logger.info("stored token serves while the cloud is away", metadata: ["account": "\(namespace)/\(serviceAccount)"])
            return stored ?? KubeObject(.null)
        }
    }

    /// The tokens bound to a pod.
    static func tokens(ofPod uid: String, in store: isolated ObjectStore) throws -> [KubeObject] {
        try store.list(EdgeRecords.tokens, namespace: nil, limit: nil, after: nil).objects
            .filter { $0.spec["boundObjectRef"]["uid"].string == uid }
    }

    /// Under which key a token lies: who it is for and what was asked.
    static func tokenKey(_ namespace: String, _ serviceAccount: String, _ request: JSONValue) -> ObjectKey {
        let spec = request["spec"]
        let asked: JSONValue = [
            "audiences": spec["audiences"].isNull ? [] : spec["audiences"], "expirationSeconds": spec["expirationSeconds"],
            "pod": spec["boundObjectRef"]["uid"],
        ]
        return ObjectKey(namespace: namespace, name: "\(serviceAccount) \(asked.text(.sortedKeys))")
    }

    /// Whether a token has more than a fifth of its life before it and is younger than a day (`spec/04 §21`).
    private static func isFresh(_ token: KubeObject, at now: Timestamp) -> Bool {
        guard let expiry = token.status["expirationTimestamp"].string.flatMap(Timestamp.init(rfc3339:)) else { return false }
        let obtained = token.annotations[obtainedAnnotation].flatMap(Timestamp.init(rfc3339:))
        let life = obtained.map { expiry - $0 } ?? .seconds(token.spec["expirationSeconds"].int ?? 3600)
        guard expiry - now > life / 5 else { return false }
        return obtained.map { now - $0 < .seconds(86400) && now >= $0 } ?? true
    }
}
