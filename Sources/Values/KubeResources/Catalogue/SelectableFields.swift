import KubeMachinery
import Primitives

/// The texts that field selectors compare.
enum SelectableFields {
    typealias Field = @Sendable (KubeObject) -> String

    static func text(_ path: String...) -> Field {
        { object in path.reduce(object.json) { $0[$1] }.string ?? "" }
    }

    /// `true` or `false`.
    static func flag(_ path: String...) -> Field {
        { object in path.reduce(object.json) { $0[$1] }.bool == true ? "true" : "false" }
    }

    static let pod: [String: Field] = [
        "spec.nodeName": text("spec", "nodeName"), "spec.restartPolicy": text("spec", "restartPolicy"),
        "spec.schedulerName": text("spec", "schedulerName"), "spec.serviceAccountName": text("spec", "serviceAccountName"),
        "spec.hostNetwork": flag("spec", "hostNetwork"), "status.phase": text("status", "phase"),
        "status.podIP": text("status", "podIP"), "status.podIPs": text("status", "podIP"),
        "status.nominatedNodeName": text("status", "nominatedNodeName"),
    ]

    static let event: [String: Field] = [
        "involvedObject.kind": text("involvedObject", "kind"), "involvedObject.namespace": text("involvedObject", "namespace"),
        "involvedObject.name": text("involvedObject", "name"), "involvedObject.uid": text("involvedObject", "uid"),
        "involvedObject.apiVersion": text("involvedObject", "apiVersion"),
        "involvedObject.resourceVersion": text("involvedObject", "resourceVersion"),
        "involvedObject.fieldPath": text("involvedObject", "fieldPath"), "reason": text("reason"), "type": text("type"),
        "reportingComponent": text("reportingComponent"), "source": text("source", "component"),
    ]
}
