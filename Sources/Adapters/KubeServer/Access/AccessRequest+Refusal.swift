import KubeMachinery
import Primitives

extension AccessRequest {
    /// What the API answers to a request that no rule allows.
    var refusal: KubeStatus {
        guard let resource else {
            return KubeStatus(
                code: 403, reason: "Forbidden", message: "forbidden: \(sentence)", details: [:])
        }
        let groupResource = GroupResource(group: resource.group, resource: resource.resource)
        let subject = resource.name.map { "\(groupResource) \"\($0)\"" } ?? "\(groupResource)"
        var details: JSONValue = [:]
        if let name = resource.name { details["name"] = .string(name) }
        if !resource.group.isEmpty { details["group"] = .string(resource.group) }
        details["kind"] = .string(resource.resource)
        return KubeStatus(code: 403, reason: "Forbidden", message: "\(subject) is forbidden: \(sentence)", details: details)
    }

    private var sentence: String {
        guard let resource else { return "User \"\(user.name)\" cannot \(verb) path \"\(path)\"" }
        let place = resource.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
        return "User \"\(user.name)\" cannot \(verb) resource \"\(resource.rulePath)\" in API group \"\(resource.group)\" \(place)"
    }
}
