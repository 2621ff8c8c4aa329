package import KubeMachinery
package import Primitives

/// What of an object an edge has to be told when it changes.
///
/// The edge itself writes the status of its pods; sending that back to it is an echo that costs bytes and work (`spec/01` D-41).
package enum EdgeRelevance {
    /// The part of an object whose change is news for an edge: metadata without versions and managed fields, and everything but status.
    ///
    /// Of a pod's status only the conditions of its readiness gates count: others write them. Of other kinds the status counts.
    package static func content(of object: KubeObject, isPod: Bool) -> JSONValue {
        var content = object.json
        for name in ["resourceVersion", "generation", "managedFields"] { content["metadata"].removeMember(name) }
        guard isPod else { return content }
        let gates = Set(object.spec["readinessGates"].elements.compactMap { $0["conditionType"].string })
        content.removeMember("status")
        if !gates.isEmpty {
            content["status"] = .array(object.status["conditions"].elements.filter { gates.contains($0["type"].string ?? "") })
        }
        return content
    }
}
