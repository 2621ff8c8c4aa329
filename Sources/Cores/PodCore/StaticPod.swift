package import KubeMachinery
import KubeResources
package import Primitives

/// What is wrong with a manifest file of the node.
package struct StaticPodProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// `spec.containers[0].image`; empty where the file as a whole is meant.
    package var field: String
    package var message: String

    package init(field: String = "", _ message: String) {
        self.field = field
        self.message = message
    }

    package var description: String { field.isEmpty ? message : "\(field): \(message)" }
}

/// Makes pods of the manifest files of the node (`spec/05 §28`).
package enum StaticPod {
    package static let hashAnnotation = "kubernetes.io/config.hash"
    package static let sourceAnnotation = "kubernetes.io/config.source"

    /// The pod of one file, complete and checked. The same content under the same path on the same node is always the same UID.
    package static func make(_ document: JSONValue, file path: String, node: String) throws(StaticPodProblem) -> KubeObject {
        guard document.object != nil else { throw StaticPodProblem("the file holds no object: write one Pod") }
        guard document["kind"].string == "Pod" else { throw StaticPodProblem(field: "kind", "must be Pod") }
        guard document["apiVersion"].string == "v1" else { throw StaticPodProblem(field: "apiVersion", "must be v1") }
        guard document["metadata"].object != nil else { throw StaticPodProblem(field: "metadata", "is missing") }
        guard let name = document["metadata"]["name"].string, !name.isEmpty else { throw StaticPodProblem(field: "metadata.name", "is missing") }
        guard document["spec"].object != nil else { throw StaticPodProblem(field: "spec", "is missing") }
        for list in ["containers", "initContainers", "volumes", "tolerations"] {
            let value = document["spec"][list]
            guard value.isNull || value.array?.allSatisfy({ $0.object != nil }) == true else {
                throw StaticPodProblem(field: "spec.\(list)", "must be a list of objects")
            }
        }
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: document["metadata"]["namespace"].string ?? "default", name: name)
        pod.name = "\(name)-\(node.lowercased())"
        pod.uid = document["metadata"]["uid"].string.flatMap { $0.isEmpty ? nil : $0 } ?? uid(document, path, node)
        for member in ["labels", "annotations"] {
            if document["metadata"][member].object != nil { pod.metadata[member] = document["metadata"][member] }
        }
        pod.metadata["annotations"][hashAnnotation] = .string(pod.uid)
        pod.metadata["annotations"][sourceAnnotation] = "file"
        pod.json["spec"] = document["spec"]
        pod.spec["nodeName"] = .string(node)
        let toleration: JSONValue = ["operator": "Exists", "effect": "NoExecute"]
        if !pod.spec["tolerations"].elements.contains(toleration) {
            pod.spec["tolerations"] = .array(pod.spec["tolerations"].elements + [toleration])
        }
        PodManifest.complete(&pod)
        do { try PodManifest.check(pod) } catch { throw StaticPodProblem(error) }
        pod.json["status"] = ["phase": "Pending"]
        return pod
    }

    /// 32 hex digits over what the file says (not over how it is written), the path and the node: FNV-1a of 128 bits.
    private static func uid(_ document: JSONValue, _ path: String, _ node: String) -> String {
        var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
        let parts = [document.encoded(.sortedKeys), Array("host:\(node)".utf8), Array("file:\(path)".utf8)]
        for byte in parts.joined() { hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013b }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}

extension StaticPodProblem {
    /// The first cause of a refusal.
    init(_ status: KubeStatus) {
        let cause = status.details["causes"][0]
        if let field = cause["field"].string, let message = cause["message"].string {
            self.init(field: field, message)
        } else {
            self.init(status.message)
        }
    }
}
