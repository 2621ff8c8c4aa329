import KubeMachinery
import Primitives

/// Pods as their controllers make and compare them.
enum PodTemplate {
    /// The annotation that rollouts are counted by.
    static let revision = "deployment.kubernetes.io/revision"
    static let hashLabel = "pod-template-hash"
    static let controllerRevisionHash = "controller-revision-hash"

    /// A pod of `template`, controlled by `owner`; the API gives it the rest of its name.
    static func pod(_ template: JSONValue, ownedBy owner: KubeObject) -> KubeObject {
        var pod = KubeObject(["apiVersion": "v1", "kind": "Pod", "metadata": [:]])
        pod.metadata["generateName"] = .string("\(owner.name.prefix(57))-")
        pod.metadata.setMember("namespace", owner.namespace.map(JSONValue.string))
        for member in ["labels", "annotations", "finalizers"] {
            if let value = template["metadata"].member(member), !value.isNull { pod.metadata[member] = value }
        }
        pod.metadata["ownerReferences"] = [owner.controllerReference]
        pod.spec = template["spec"]
        return pod
    }

    /// Whether two templates make the same pods, the label with their hash left out.
    static func areEqual(_ one: JSONValue, _ other: JSONValue) -> Bool { bare(one) == bare(other) }

    private static func bare(_ template: JSONValue) -> JSONValue {
        var bare = template
        bare["metadata"].removeMember("creationTimestamp")
        bare["metadata"]["labels"].removeMember(hashLabel)
        if bare["metadata"]["labels"].members.isEmpty { bare["metadata"].removeMember("labels") }
        return bare
    }

    /// A short name for a template that stays the same as long as the template does: FNV-1a over its JSON with sorted names.
    static func hash(_ template: JSONValue, collisions: Int = 0) -> String {
        var hash: UInt32 = 2_166_136_261
        for byte in bare(template).encoded(.sortedKeys) + Array(String(collisions == 0 ? "" : "\(collisions)").utf8) {
            hash = (hash ^ UInt32(byte)) &* 16_777_619
        }
        return safe(String(hash))
    }

    /// Digits as characters that make no words.
    private static func safe(_ text: String) -> String {
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        return String(text.utf8.map { alphabet[Int($0) % alphabet.count] })
    }
}
