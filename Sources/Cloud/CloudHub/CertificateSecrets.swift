import KubeMachinery
import KubeResources
import Primitives

/// The three secrets of `spec/01 §2.1`, read and written through the Kubernetes API.
struct CertificateSecrets: Sendable {
    static let namespace = "kubeedge"

    enum Name: String, Sendable {
        case authority = "casecret"
        case server = "cloudcoresecret"
        case token = "tokensecret"
    }

    enum Field: String, Sendable {
        case authorityCertificate = "cadata"
        case authorityKey = "cakeydata"
        case serverCertificate = "cloudcoredata"
        case serverKey = "cloudcorekeydata"
        case token = "tokendata"
        /// The tokens of `tokensecret` that are not revoked: a line each, the number and the second in which it expires.
        case tokenNumbers = "tokennumbers"
    }

    let api: any KubeAPI

    /// The secret, nil only where the API says that there is none; every other failure is thrown (D-15).
    func read(_ name: Name) async throws -> KubeObject? {
        do {
            return try await api.get(Resources.secrets, ObjectKey(namespace: Self.namespace, name: name.rawValue))
        } catch let status as KubeStatus where status.isNotFound {
            return nil
        }
    }

    /// Creates the secret; false where somebody else has been faster.
    func create(_ name: Name, _ fields: [Field: [UInt8]]) async throws -> Bool {
        do {
            _ = try await api.create(Resources.secrets, Self.secret(name, fields))
            return true
        } catch let status as KubeStatus where status.isAlreadyExists {
            return false
        } catch let status as KubeStatus where status.isNotFound {
            let namespace = KubeObject(apiVersion: "v1", kind: "Namespace", name: Self.namespace)
            do { _ = try await api.create(Resources.namespaces, namespace) } catch let status as KubeStatus where status.isAlreadyExists {}
            return try await api.create(Resources.secrets, Self.secret(name, fields)).name == name.rawValue
        }
    }

    /// Replaces the content of a secret that was read; false where it has changed or gone since.
    func replace(_ secret: KubeObject, _ fields: [Field: [UInt8]]) async throws -> Bool {
        var secret = secret
        for (field, bytes) in fields { secret.json["data"][field.rawValue] = .string(Base64.encode(bytes)) }
        do {
            _ = try await api.update(Resources.secrets, secret)
            return true
        } catch let status as KubeStatus where status.isConflict || status.isNotFound {
            return false
        }
    }

    /// Makes the secret hold these fields, whatever it held before.
    func write(_ name: Name, _ fields: [Field: [UInt8]]) async throws {
        try await edit(name) { _ in fields }
    }

    /// Makes the secret hold the fields that follow from what it holds (nil where there is none), however many others write it.
    func edit(_ name: Name, _ change: (KubeObject?) throws -> [Field: [UInt8]]) async throws {
        for _ in 0..<10 {
            let secret = try await read(name)
            let fields = try change(secret)
            if let secret {
                let isSame = fields.allSatisfy { Self.bytes(secret, $0.key) == $0.value }
                if isSame { return }
                if try await replace(secret, fields) { return }
            } else if try await create(name, fields) {
                return
            }
        }
        throw KubeStatus(code: 409, reason: "Conflict", message: "secret \(name.rawValue) is being changed by others all the time")
    }

    static func bytes(_ secret: KubeObject, _ field: Field) -> [UInt8]? {
        secret.json["data"][field.rawValue].string.flatMap { Base64.decode($0) }
    }

    private static func secret(_ name: Name, _ fields: [Field: [UInt8]]) -> KubeObject {
        var secret = KubeObject(apiVersion: "v1", kind: "Secret", namespace: namespace, name: name.rawValue)
        for (field, bytes) in fields.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            secret.json["data"][field.rawValue] = .string(Base64.encode(bytes))
        }
        secret.json["type"] = "Opaque"
        return secret
    }
}
