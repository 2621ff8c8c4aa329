package import KubeMachinery
package import Primitives

/// The `scale` subresource: the replicas of an object as an `autoscaling/v1 Scale`.
package struct ScaleView: Sendable {
    private let specReplicas: [String]
    private let statusReplicas: [String]
    private let selector: [String]

    /// Where built-in workloads keep their replicas.
    package static let builtIn = ScaleView(
        specReplicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"], selector: ["spec", "selector"])

    private init(specReplicas: [String], statusReplicas: [String], selector: [String]) {
        self.specReplicas = specReplicas
        self.statusReplicas = statusReplicas
        self.selector = selector
    }

    /// From `subresources.scale` of a version of a CustomResourceDefinition (`specReplicasPath`, …, as `.spec.replicas`).
    package init(scale: JSONValue) {
        func path(_ key: String) -> [String] { (scale[key].string ?? "").split(separator: ".").map(String.init) }
        self.init(specReplicas: path("specReplicasPath"), statusReplicas: path("statusReplicasPath"), selector: path("labelSelectorPath"))
    }

    /// The `Scale` of an object.
    package func scale(of object: KubeObject) -> KubeObject {
        var scale = KubeObject(apiVersion: "autoscaling/v1", kind: "Scale", namespace: object.namespace, name: object.name)
        for field in ["uid", "resourceVersion", "creationTimestamp"] { scale.metadata.setMember(field, object.metadata.member(field)) }
        func value(_ path: [String]) -> JSONValue { path.isEmpty ? .null : path.reduce(object.json) { $0[$1] } }
        scale.spec = ["replicas": .integer(value(specReplicas).int ?? 0)]
        scale.status = ["replicas": .integer(value(statusReplicas).int ?? 0)]
        let found = value(selector)
        if let text = found.string {
            scale.status["selector"] = .string(text)
        } else if let read = try? LabelSelector(json: found), !read.selectsNothing {
            scale.status["selector"] = .string(read.description)
        }
        return scale
    }

    /// The object with the replicas of a `Scale`. Throws 422 for a negative number.
    package func applied(_ scale: KubeObject, to object: KubeObject) throws(KubeStatus) -> KubeObject {
        let replicas = scale.spec["replicas"].int ?? 0
        guard replicas >= 0 else {
            var errors = FieldErrors()
            errors.invalid("spec.replicas", .integer(replicas), "must be greater than or equal to 0")
            throw errors.status(kind: "Scale", group: "autoscaling", name: object.name) ?? .badRequest("negative replicas")
        }
        var object = object
        Self.set(&object.json, specReplicas[...], .integer(replicas))
        if !scale.resourceVersion.isEmpty { object.resourceVersion = scale.resourceVersion }
        return object
    }

    private static func set(_ value: inout JSONValue, _ path: ArraySlice<String>, _ new: JSONValue) {
        guard let first = path.first else {
            value = new
            return
        }
        set(&value[first], path.dropFirst(), new)
    }
}
