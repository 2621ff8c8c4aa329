internal import EdgeMessages
internal import KubeMachinery
package import ObjectStore
internal import Primitives

/// What a Go edge (v1.17) kept in the table `meta` of the same file (`spec/01 §7.1`): its pods run on after a change of programs, cloud or no cloud.
///
/// Taken over are objects that arrived whole. Patches, leases and stored errors (`spec/01` D-01) are left; devices the cloud sends again.
package enum UpstreamRecords {
    package static let table = PredecessorTable(name: "meta", columns: ["key", "type", "value"], suffix: "go") { row in
        record(key: row[0], type: row[1], value: row[2])
    }

    private static let types: Set<String> = [
        EdgeType.pod, EdgeType.configMap, EdgeType.secret, EdgeType.node, EdgeType.persistentVolume, EdgeType.persistentVolumeClaim,
    ]
    private static let clusterTypes: Set<String> = [EdgeType.node, EdgeType.persistentVolume]

    /// `shop/pod/web-0`, `pod` and the pod as JSON.
    static func record(key: String, type: String, value: String) -> (resource: GroupResource, object: KubeObject)? {
        guard let content = try? JSONValue(parsing: value), content["metadata"].object != nil else { return nil }
        if type == EdgeType.serviceAccountToken { return token(key: key, KubeObject(content)) }
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard types.contains(type), let resource = EdgeRecords.resource(ofType: type), parts.count == 3 else { return nil }
        var object = EdgeRecords.complete(KubeObject(content), ofType: type)
        guard !object.uid.isEmpty, object.name == parts[2] else { return nil }
        object.namespace = clusterTypes.contains(type) ? nil : String(parts[0])
        return (resource, object)
    }

    /// `"default"/"shop"/[]string(nil)/3607/v1.BoundObjectReference{…}` and the answered TokenRequest.
    private static func token(key: String, _ answer: KubeObject) -> (resource: GroupResource, object: KubeObject)? {
        guard let namespace = answer.namespace, !answer.name.isEmpty, answer.status["token"].string?.isEmpty == false,
            key.hasPrefix("\"\(answer.name)\"/\"\(namespace)\"/")
        else { return nil }
        var request: JSONValue = ["spec": answer.spec]
        // The answer names the audiences that the API server put in where none were asked for.
        if key.contains("/[]string(nil)/") || key.contains("/[]string{}/") { request["spec"]["audiences"] = [] }
        var token = answer
        let record = MetaManager.tokenKey(namespace, answer.name, request)
        token.name = record.name
        if let obtained = answer.creationTimestamp { token.annotations[MetaManager.obtainedAnnotation] = obtained.rfc3339 }
        return (EdgeRecords.tokens, token)
    }
}
