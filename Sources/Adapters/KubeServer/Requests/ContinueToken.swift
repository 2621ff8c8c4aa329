package import KubeMachinery
import Primitives

/// The `continue` token of a list: where the next page begins, and the revision the first page showed.
package struct ContinueToken: Sendable, Hashable {
    package var revision: UInt64
    package var after: ObjectKey

    package init(revision: UInt64, after: ObjectKey) {
        self.revision = revision
        self.after = after
    }

    package var text: String {
        let value: JSONValue = [
            "v": "meta.k8s.io/v1", "rv": .string(String(revision)), "ns": .string(after.namespace ?? ""), "start": .string(after.name),
        ]
        return Base64.encodeURL(value.encoded())
    }

    package init(parsing text: String) throws(KubeStatus) {
        let refusal = KubeStatus.badRequest("continue key is not valid: encoded continue key is not of a known form")
        guard let bytes = Base64.decodeURL(text), let value = try? JSONValue(parsing: bytes, limits: JSONLimits(size: 4096, depth: 4)),
            let revision = value["rv"].string.flatMap(UInt64.init), let name = value["start"].string
        else { throw refusal }
        let namespace = value["ns"].string ?? ""
        self.init(revision: revision, after: ObjectKey(namespace: namespace.isEmpty ? nil : namespace, name: name))
    }
}
