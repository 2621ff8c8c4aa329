package import KubeMachinery
import KubeResources
package import Primitives

/// Signs and verifies the claims of tokens: JSON Web Tokens with a key of the server.
package protocol TokenSigning: Sendable {
    func sign(_ claims: JSONValue) throws -> String
    /// The claims of a token with a good signature that is in date; nil for anything else.
    func verify(_ token: String, now: Timestamp) -> JSONValue?
}

/// Tokens of service accounts: issues them for `TokenRequest` and knows their bearers again.
package struct ServiceAccountTokens: Sendable {
    package let signing: any TokenSigning
    package let issuer: String

    /// The audience of this API, and of tokens that ask for none.
    package init(signing: any TokenSigning, issuer: String = "https://kubernetes.default.svc.cluster.local") {
        self.signing = signing
        self.issuer = issuer
    }

    /// Answers a `TokenRequest` for a service account; the token dies with the pod or secret that it is bound to.
    package func issue(_ request: JSONValue, for account: KubeObject, storage: any ResourceStorage, now: Timestamp) async throws -> JSONValue {
        let spec = request["spec"]
        let seconds = spec["expirationSeconds"].int ?? 3600
        guard (600...(1 << 32)).contains(seconds) else {
            throw invalid(
                account, "spec.expirationSeconds", seconds,
                seconds < 600 ? "may not specify a duration less than 10 minutes" : "may not specify a duration larger than 2^32 seconds")
        }
        var audiences = spec["audiences"].strings
        if audiences.isEmpty { audiences = [issuer] }
        var subject: JSONValue = [
            "namespace": .string(account.namespace ?? ""), "serviceaccount": ["name": .string(account.name), "uid": .string(account.uid)],
        ]
        if spec["boundObjectRef"].object != nil { try await bind(&subject, to: spec["boundObjectRef"], account, storage) }
        let expiry = now.seconds + seconds
        let token = try signing.sign([
            "aud": JSONValue(audiences), "exp": .integer(expiry), "iat": .integer(now.seconds), "iss": .string(issuer),
            "jti": .string(UniqueID.next()), "kubernetes.io": subject, "nbf": .integer(now.seconds), "sub": .string(Self.userName(account.key)),
        ])
        var answer = request
        answer["apiVersion"] = "authentication.k8s.io/v1"
        answer["kind"] = "TokenRequest"
        answer["metadata"] = [
            "name": .string(account.name), "namespace": .string(account.namespace ?? ""), "creationTimestamp": .string(now.rfc3339),
        ]
        answer["spec"]["audiences"] = JSONValue(audiences)
        answer["spec"]["expirationSeconds"] = .integer(seconds)
        if spec["boundObjectRef"].isNull { answer["spec"]["boundObjectRef"] = nil }
        answer["status"] = ["token": .string(token), "expirationTimestamp": .string(Timestamp(seconds: expiry).rfc3339)]
        return answer
    }

    private func bind(_ subject: inout JSONValue, to reference: JSONValue, _ account: KubeObject, _ storage: any ResourceStorage) async throws {
        let name = reference["name"].string ?? ""
        let resource: GroupResource
        let member: String
        switch reference["kind"].string {
        case "Pod": (resource, member) = (Resources.pods.groupResource, "pod")
        case "Secret": (resource, member) = (Resources.secrets.groupResource, "secret")
        default:
            throw KubeStatus.badRequest("cannot bind token for serviceaccount to object of type \(reference["kind"].string ?? "")")
        }
        guard let object = try await storage.object(resource, ObjectKey(namespace: account.namespace, name: name)) else {
            throw KubeStatus.notFound(resource, name)
        }
        if member == "pod", (object.spec["serviceAccountName"].string ?? "default") != account.name {
            throw KubeStatus.badRequest(
                "cannot bind token for serviceaccount \"\(account.name)\" to pod running with different serviceaccount name.")
        }
        if let uid = reference["uid"].string, !uid.isEmpty, uid != object.uid {
            throw KubeStatus.conflict(
                resource, name,
                "the UID in the bound object reference (\(uid)) does not match the UID in record. "
                    + "The object might have been deleted and then recreated"
            )
        }
        subject[member] = ["name": .string(name), "uid": .string(object.uid)]
    }

    private func invalid(_ account: KubeObject, _ field: String, _ value: Int64, _ cause: String) -> KubeStatus {
        KubeStatus(
            code: 422, reason: "Invalid",
            message: "TokenRequest.authentication.k8s.io \"\(account.name)\" is invalid: \(field): Invalid value: \(value): \(cause)",
            details: [
                "name": .string(account.name), "group": "authentication.k8s.io", "kind": "TokenRequest",
                "causes": [["reason": "FieldValueInvalid", "message": .string("Invalid value: \(value): \(cause)"), "field": .string(field)]],
            ])
    }

    /// The user behind a token for one of the audiences; nil where the token is not ours, out of date,
    /// or its account or the object it is bound to is gone.
    package func user(of token: String, audiences: [String]? = nil, storage: any ResourceStorage, now: Timestamp) async throws -> TokenUser? {
        guard let claims = signing.verify(token, now: now), claims["iss"].string == issuer else { return nil }
        let held = claims["aud"].strings + (claims["aud"].string.map { [$0] } ?? [])
        let good = (audiences ?? [issuer]).filter(held.contains)
        guard !good.isEmpty else { return nil }
        let subject = claims["kubernetes.io"]
        guard let namespace = subject["namespace"].string, let name = subject.at("serviceaccount", "name").string else { return nil }
        let key = ObjectKey(namespace: namespace, name: name)
        guard claims["sub"].string == Self.userName(key),
            let account = try await storage.object(Resources.serviceAccounts.groupResource, key),
            account.uid == subject.at("serviceaccount", "uid").string
        else { return nil }
        var extra: JSONValue = [:]
        for (member, resource) in [("pod", Resources.pods), ("secret", Resources.secrets)] where subject[member].object != nil {
            let bound = ObjectKey(namespace: namespace, name: subject.at(member, "name").string ?? "")
            guard let object = try await storage.object(resource.groupResource, bound), object.uid == subject.at(member, "uid").string
            else { return nil }
            if member == "pod" {
                extra["authentication.kubernetes.io/pod-name"] = [.string(object.name)]
                extra["authentication.kubernetes.io/pod-uid"] = [.string(object.uid)]
            }
        }
        let user = UserIdentity(
            name: Self.userName(key), uid: account.uid,
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"])
        return TokenUser(user: user, extra: extra, audiences: good)
    }

    static func userName(_ key: ObjectKey) -> String { "system:serviceaccount:\(key.namespace ?? ""):\(key.name)" }
}

/// A user that a token has shown.
package struct TokenUser: Sendable {
    package var user: UserIdentity
    /// What else the token says: the pod that it is bound to.
    package var extra: JSONValue
    /// The asked-for audiences that the token is for.
    package var audiences: [String]
}
