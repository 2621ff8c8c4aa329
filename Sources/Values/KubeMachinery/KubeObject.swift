package import Primitives

/// Any Kubernetes object, whole: the JSON is the object, the properties are views into it.
package struct KubeObject: Sendable, Hashable {
    package var json: JSONValue

    package init(_ json: JSONValue) { self.json = json }

    package init(apiVersion: String, kind: String, namespace: String? = nil, name: String) {
        json = ["apiVersion": .string(apiVersion), "kind": .string(kind), "metadata": ["name": .string(name)]]
        if let namespace { json["metadata"]["namespace"] = .string(namespace) }
    }

    package var apiVersion: String {
        get { json["apiVersion"].string ?? "" }
        set { json["apiVersion"] = .string(newValue) }
    }
    package var kind: String {
        get { json["kind"].string ?? "" }
        set { json["kind"] = .string(newValue) }
    }
    package var metadata: JSONValue {
        get { json["metadata"] }
        _modify { yield &json["metadata"] }
    }
    package var spec: JSONValue {
        get { json["spec"] }
        _modify { yield &json["spec"] }
    }
    package var status: JSONValue {
        get { json["status"] }
        _modify { yield &json["status"] }
    }
}

extension KubeObject {
    package var name: String {
        get { metadata["name"].string ?? "" }
        set { metadata["name"] = .string(newValue) }
    }
    /// nil for an object of the whole cluster.
    package var namespace: String? {
        get { metadata["namespace"].string.flatMap { $0.isEmpty ? nil : $0 } }
        set { metadata.setMember("namespace", newValue.map(JSONValue.string)) }
    }
    package var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
    package var uid: String {
        get { metadata["uid"].string ?? "" }
        set { metadata["uid"] = .string(newValue) }
    }
    /// The version as text; empty where there is none.
    package var resourceVersion: String {
        get { metadata["resourceVersion"].string ?? "" }
        set { metadata.setMember("resourceVersion", newValue.isEmpty ? nil : .string(newValue)) }
    }
    /// The version as a number; 0 where it is missing or no number (`spec/01` D-24).
    package var version: UInt64 { UInt64(resourceVersion) ?? 0 }
    package var generation: Int64 {
        get { metadata["generation"].int ?? 0 }
        set { metadata["generation"] = .integer(newValue) }
    }
    package var labels: [String: String] {
        get { metadata["labels"].stringMap }
        set { metadata.setMember("labels", newValue.isEmpty ? JSONValue?.none : .some(JSONValue(newValue))) }
    }
    package var annotations: [String: String] {
        get { metadata["annotations"].stringMap }
        set { metadata.setMember("annotations", newValue.isEmpty ? JSONValue?.none : .some(JSONValue(newValue))) }
    }
    package var finalizers: [String] {
        get { metadata["finalizers"].strings }
        set { metadata.setMember("finalizers", newValue.isEmpty ? JSONValue?.none : .some(JSONValue(newValue))) }
    }
    package var creationTimestamp: Timestamp? { metadata["creationTimestamp"].string.flatMap(Timestamp.init(rfc3339:)) }
    package var deletionTimestamp: Timestamp? { metadata["deletionTimestamp"].string.flatMap(Timestamp.init(rfc3339:)) }
    package var deletionGracePeriodSeconds: Int64? { metadata["deletionGracePeriodSeconds"].int }
    /// The owner that has `controller: true`.
    package var controller: JSONValue? { metadata["ownerReferences"].elements.first { $0["controller"].bool == true } }
}
