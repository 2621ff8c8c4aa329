internal import KubeMachinery
internal import Primitives

/// The status of a pod as the cloud still has to hear it: strategic merge patches that waited, folded into one.
enum PendingStatus {
    /// The record of a patch that waits.
    static func record(_ key: ObjectKey, _ patch: JSONValue) -> KubeObject {
        var record = KubeObject(apiVersion: "edge.kubeedge.io/v1", kind: "PendingPodStatus", namespace: key.namespace, name: key.name)
        record.json["patch"] = patch
        return record
    }

    /// One patch that does what `older` and then `newer` do. Both are for the same pod UID.
    static func fold(_ older: JSONValue, _ newer: JSONValue) -> JSONValue {
        guard case .object(let additions) = newer, case .object(var result) = older else { return newer }
        for (key, value) in additions {
            if key == "conditions" {
                result[key] = .array(foldConditions(result[key]?.elements ?? [], value.elements))
            } else if key == "podIPs" || key == "hostIPs" || key.hasPrefix("$") {
                result[key] = value
            } else if case .object = value, let before = result[key] {
                result[key] = fold(before, value)
            } else {
                result[key] = value
            }
        }
        return .object(result)
    }

    private static func foldConditions(_ older: [JSONValue], _ newer: [JSONValue]) -> [JSONValue] {
        var result = older
        for condition in newer {
            if let index = result.firstIndex(where: { $0["type"] == condition["type"] }) {
                result[index] = fold(result[index], condition)
            } else {
                result.append(condition)
            }
        }
        return result
    }
}
