package import KubeMachinery
package import Primitives

/// One file of a volume.
package struct VolumeFile: Sendable, Hashable, CustomStringConvertible {
    package var bytes: [UInt8]
    /// Permission bits.
    package var mode: UInt32
    /// The owner, where it is not root: the one user of all containers may read the token.
    package var owner: Int64?

    package init(bytes: [UInt8], mode: UInt32, owner: Int64? = nil) {
        self.bytes = bytes
        self.mode = mode
        self.owner = owner
    }

    /// Never the content: it may be a secret.
    package var description: String { "\(bytes.count) bytes, mode \(String(mode, radix: 8))" }
}

/// Why the files of a volume cannot be made now. The mount is tried again.
package struct VolumeFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package var message: String
    package init(_ message: String) { self.message = message }
    package var description: String { message }
}

/// A service account token that a volume needs (`spec/05 §19.6–19.7`).
package struct TokenNeed: Sendable, Hashable {
    package var serviceAccount: String
    /// Empty for the API server itself.
    package var audience: String
    package var expirationSeconds: Int64

    /// The `TokenRequest` to send, bound to the pod.
    package func request(for pod: PodView) -> JSONValue {
        [
            "metadata": ["creationTimestamp": .null],
            "spec": [
                "audiences": audience.isEmpty ? .null : [.string(audience)], "expirationSeconds": .integer(expirationSeconds),
                "boundObjectRef": ["kind": "Pod", "apiVersion": "v1", "name": .string(pod.name), "uid": .string(pod.uid)],
            ],
            "status": ["token": "", "expirationTimestamp": .null],
        ]
    }
}

/// A token that was answered, and when to ask for the next one.
package struct ServiceAccountToken: Sendable, Hashable {
    package let token: Redacted<String>
    package let expiresAt: Timestamp?
    /// Uptime after which to ask for a new one: 80 % of the life, or a day. A failure to refresh keeps a token that has not expired.
    package let refreshAt: Duration

    /// Reads the answer to a `TokenRequest`; nil where there is no token in it.
    package init?(_ answer: KubeObject, need: TokenNeed, now: Moment) {
        guard let token = answer.status["token"].string, !token.isEmpty else { return nil }
        self.token = Redacted(token)
        expiresAt = answer.status["expirationTimestamp"].string.flatMap(Timestamp.init(rfc3339:))
        let life = Duration.seconds(max(answer.spec["expirationSeconds"].int ?? need.expirationSeconds, 1))
        let remaining = expiresAt.map { $0 - now.wall } ?? life
        // What is left of a token that was stored is shorter than its life.
        let untilRefresh = remaining - life / 5
        refreshAt = now.uptime + max(min(untilRefresh, .seconds(86400)), .zero)
    }

    package static func == (left: ServiceAccountToken, right: ServiceAccountToken) -> Bool {
        left.token.exposed == right.token.exposed && left.expiresAt == right.expiresAt && left.refreshAt == right.refreshAt
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(token.exposed) }

    /// Whether the token is of no use any more.
    package func isExpired(_ now: Moment) -> Bool { expiresAt.map { now.wall >= $0 } ?? false }
}

/// The files of a configMap, secret, downwardAPI or projected volume: relative path to content.
package struct VolumeFiles: Sendable {
    let pod: PodView
    let node: NodeFacts
    let objects: PodObjects
    let tokens: [TokenNeed: ServiceAccountToken]
    /// Addresses of the sandbox, where it exists already.
    let addresses: [String]

    package init(pod: PodView, node: NodeFacts, objects: PodObjects, tokens: [TokenNeed: ServiceAccountToken] = [:], addresses: [String] = []) {
        self.pod = pod
        self.node = node
        self.objects = objects
        self.tokens = tokens
        self.addresses = addresses
    }

    /// The tokens that a volume needs.
    package static func tokens(_ volume: JSONValue, in pod: PodView) -> [TokenNeed] {
        volume["projected"]["sources"].elements.compactMap { source in
            guard source["serviceAccountToken"].object != nil else { return nil }
            let token = source["serviceAccountToken"]
            return TokenNeed(
                serviceAccount: pod.serviceAccountName, audience: token["audience"].string ?? "",
                expirationSeconds: max(token["expirationSeconds"].int ?? 3600, 600))
        }
    }

    /// The content of a volume. Throws in the kubelet's words where an object, a key or a token that is needed is missing.
    package func files(_ volume: JSONValue) throws(VolumeFailure) -> [String: VolumeFile] {
        if volume["configMap"].object != nil {
            let source = volume["configMap"]
            return try entries(.configMap, source["name"].string ?? "", source, mode: Self.mode(source["defaultMode"], 0o644))
        }
        if volume["secret"].object != nil {
            let source = volume["secret"]
            return try entries(.secret, source["secretName"].string ?? "", source, mode: Self.mode(source["defaultMode"], 0o644))
        }
        if volume["downwardAPI"].object != nil {
            return try fields(volume["downwardAPI"], mode: Self.mode(volume["downwardAPI"]["defaultMode"], 0o644))
        }
        var files: [String: VolumeFile] = [:]
        let mode = Self.mode(volume["projected"]["defaultMode"], 0o644)
        for source in volume["projected"]["sources"].elements {
            let part: [String: VolumeFile]
            if source["configMap"].object != nil {
                part = try entries(.configMap, source["configMap"]["name"].string ?? "", source["configMap"], mode: mode)
            } else if source["secret"].object != nil {
                part = try entries(.secret, source["secret"]["name"].string ?? "", source["secret"], mode: mode)
            } else if source["downwardAPI"].object != nil {
                part = try fields(source["downwardAPI"], mode: mode)
            } else {
                part = try token(source["serviceAccountToken"], mode: mode)
            }
            files.merge(part) { _, later in later }
        }
        return files
    }

    private func entries(_ kind: ObjectReference.Kind, _ name: String, _ source: JSONValue, mode: UInt32) throws(VolumeFailure) -> [String:
        VolumeFile]
    {
        let reference = ObjectReference(kind, name)
        let isOptional = source["optional"].bool == true
        guard let entries = objects.entries(reference) else {
            if isOptional { return [:] }
            throw VolumeFailure("\(reference) not found")
        }
        let items = source["items"].elements
        guard !items.isEmpty else { return entries.mapValues { VolumeFile(bytes: $0, mode: mode) } }
        var files: [String: VolumeFile] = [:]
        for item in items {
            let key = item["key"].string ?? ""
            guard let bytes = entries[key] else {
                if isOptional { continue }
                throw VolumeFailure(
                    kind == .configMap ? "configmap references non-existent config key: \(key)" : "references non-existent secret key: \(key)")
            }
            files[try Self.path(item["path"])] = VolumeFile(bytes: bytes, mode: Self.mode(item["mode"], mode))
        }
        return files
    }

    private func fields(_ source: JSONValue, mode: UInt32) throws(VolumeFailure) -> [String: VolumeFile] {
        let reference = FieldReference(pod: pod, node: node, addresses: addresses)
        var files: [String: VolumeFile] = [:]
        for item in source["items"].elements {
            let text: String?
            if let field = item["fieldRef"]["fieldPath"].string {
                text = reference.value(field)
            } else {
                text = reference.resource(item["resourceFieldRef"], container: nil)
            }
            guard let text else { throw VolumeFailure("unsupported field of a downwardAPI volume: \(item.text())") }
            files[try Self.path(item["path"])] = VolumeFile(bytes: Array(text.utf8), mode: Self.mode(item["mode"], mode))
        }
        return files
    }

    private func token(_ source: JSONValue, mode: UInt32) throws(VolumeFailure) -> [String: VolumeFile] {
        guard source.object != nil else { throw VolumeFailure("a source of a projected volume is of a type that this node does not support") }
        let need = TokenNeed(
            serviceAccount: pod.serviceAccountName, audience: source["audience"].string ?? "",
            expirationSeconds: max(source["expirationSeconds"].int ?? 3600, 600))
        guard let token = tokens[need] else { throw VolumeFailure("failed to fetch token: there is none for service account \(need.serviceAccount)") }
        let bytes = Array(token.token.exposed.utf8)
        if pod.securityContext["fsGroup"].int != nil { return [try Self.path(source["path"]): VolumeFile(bytes: bytes, mode: 0o600)] }
        if let owner = commonUser { return [try Self.path(source["path"]): VolumeFile(bytes: bytes, mode: 0o600, owner: owner)] }
        return [try Self.path(source["path"]): VolumeFile(bytes: bytes, mode: mode)]
    }

    /// The user of all containers, where it is one and the same.
    private var commonUser: Int64? {
        let users = Set((pod.containers + pod.initContainers).map { $0.securityContext["runAsUser"].int ?? pod.securityContext["runAsUser"].int })
        guard users.count == 1 else { return nil }
        return users.first.flatMap { $0 }
    }

    private static func mode(_ value: JSONValue, _ fallback: UInt32) -> UInt32 {
        guard let mode = value.int, (0...0o777).contains(mode) else { return fallback }
        return UInt32(mode)
    }

    /// A relative path that stays below the volume.
    private static func path(_ value: JSONValue) throws(VolumeFailure) -> String {
        let path = value.string ?? ""
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.isEmpty, !path.hasPrefix("/"), !parts.contains(".."), !path.hasPrefix("..") else {
            throw VolumeFailure("invalid path of a volume file, it must be relative and without '..': \"\(path)\"")
        }
        return parts.filter { !$0.isEmpty && $0 != "." }.joined(separator: "/")
    }
}
