package import KubeMachinery
import Primitives

/// Kinds of the other groups as `kubectl get` shows them.
package enum GroupTables {
    package static let deployments = TableLayout(
        [
            TableText.nameColumn, TableColumn("Ready", details: "Replicas that are ready, of those wanted."),
            TableColumn("Up-to-date", type: "string", details: "Replicas of the newest template."),
            TableColumn("Available", type: "string", details: "Replicas that are available."), TableText.ageColumn,
        ] + TableText.containerColumns
    ) { object, now in
        [
            .string(object.name), .string("\(object.status["readyReplicas"].int ?? 0)/\(object.spec["replicas"].int ?? 0)"),
            TableText.number(object.status["updatedReplicas"]), TableText.number(object.status["availableReplicas"]), TableText.age(object, now),
        ] + TableText.containerCells(object)
    }

    package static let replicaSets = TableLayout(
        [
            TableText.nameColumn, TableColumn("Desired", type: "integer"), TableColumn("Current", type: "integer"),
            TableColumn("Ready", type: "integer"), TableText.ageColumn,
        ] + TableText.containerColumns
    ) { object, now in
        [
            .string(object.name), TableText.number(object.spec["replicas"]), TableText.number(object.status["replicas"]),
            TableText.number(object.status["readyReplicas"]), TableText.age(object, now),
        ] + TableText.containerCells(object)
    }

    package static let daemonSets = TableLayout(
        [
            TableText.nameColumn, TableColumn("Desired", type: "integer"), TableColumn("Current", type: "integer"),
            TableColumn("Ready", type: "integer"), TableColumn("Up-to-date", type: "integer"), TableColumn("Available", type: "integer"),
            TableColumn("Node Selector"), TableText.ageColumn,
        ] + TableText.containerColumns
    ) { object, now in
        let status = object.status
        let nodes = object.spec["template"]["spec"]["nodeSelector"].stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return [
            .string(object.name), TableText.number(status["desiredNumberScheduled"]), TableText.number(status["currentNumberScheduled"]),
            TableText.number(status["numberReady"]), TableText.number(status["updatedNumberScheduled"]),
            TableText.number(status["numberAvailable"]), .string(TableText.joined(nodes)), TableText.age(object, now),
        ] + TableText.containerCells(object)
    }

    package static let controllerRevisions = TableLayout([
        TableText.nameColumn, TableColumn("Controller"), TableColumn("Revision"), TableText.ageColumn,
    ]) { object, now in
        let owner = object.controller.map { "\(($0["kind"].string ?? "").lowercased()).apps/\($0["name"].string ?? "")" } ?? TableText.none
        return [.string(object.name), .string(owner), TableText.number(object.json["revision"]), TableText.age(object, now)]
    }

    package static let leases = TableLayout([
        TableText.nameColumn, TableColumn("Holder", details: "Who holds the lease."), TableText.ageColumn,
    ]) { lease, now in
        [.string(lease.name), .string(lease.spec["holderIdentity"].string ?? ""), TableText.age(lease, now)]
    }

    package static let roleBindings = bindings
    package static let clusterRoleBindings = bindings

    private static let bindings = TableLayout([
        TableText.nameColumn, TableColumn("Role", details: "The role that is given."), TableText.ageColumn, TableColumn("Users", priority: 1),
        TableColumn("Groups", priority: 1), TableColumn("ServiceAccounts", priority: 1),
    ]) { binding, now in
        let role = binding.json["roleRef"]
        func subjects(_ kind: String) -> JSONValue {
            .string(
                binding.json["subjects"].elements.filter { $0["kind"].string == kind }.map { subject in
                    let name = subject["name"].string ?? ""
                    return kind == "ServiceAccount" ? "\(subject["namespace"].string ?? "")/\(name)" : name
                }.joined(separator: ", "))
        }
        return [
            .string(binding.name), .string("\(role["kind"].string ?? "")/\(role["name"].string ?? "")"), TableText.age(binding, now),
            subjects("User"), subjects("Group"), subjects("ServiceAccount"),
        ]
    }

    package static let certificateSigningRequests = TableLayout([
        TableText.nameColumn, TableText.ageColumn, TableColumn("SignerName"), TableColumn("Requestor"), TableColumn("RequestedDuration"),
        TableColumn("Condition"),
    ]) { request, now in
        let duration = request.spec["expirationSeconds"].int.map { AgeText.text(.seconds($0)) } ?? TableText.none
        return [
            .string(request.name), TableText.age(request, now), .string(TableText.text(request.spec["signerName"])),
            .string(request.spec["username"].string ?? ""), .string(duration), .string(decision(request)),
        ]
    }

    private static func decision(_ request: KubeObject) -> String {
        let types = request.status["conditions"].elements.compactMap { $0["type"].string }
        var words = ["Approved", "Denied", "Failed"].filter(types.contains)
        if words.isEmpty { words = ["Pending"] }
        if !(request.status["certificate"].string ?? "").isEmpty { words.append("Issued") }
        return words.joined(separator: ",")
    }

    package static let storageClasses = TableLayout([
        TableText.nameColumn, TableColumn("Provisioner"), TableColumn("ReclaimPolicy"), TableColumn("VolumeBindingMode"),
        TableColumn("AllowVolumeExpansion"), TableText.ageColumn,
    ]) { object, now in
        let isDefault = object.annotations["storageclass.kubernetes.io/is-default-class"] == "true"
        return [
            .string(isDefault ? "\(object.name) (default)" : object.name), .string(object.json["provisioner"].string ?? ""),
            .string(object.json["reclaimPolicy"].string ?? "Delete"), .string(object.json["volumeBindingMode"].string ?? "Immediate"),
            .bool(object.json["allowVolumeExpansion"].bool ?? false), TableText.age(object, now),
        ]
    }

    package static let volumeAttachments = TableLayout([
        TableText.nameColumn, TableColumn("Attacher"), TableColumn("PV"), TableColumn("Node"), TableColumn("Attached"), TableText.ageColumn,
    ]) { object, now in
        [
            .string(object.name), .string(object.spec["attacher"].string ?? ""),
            .string(object.spec["source"]["persistentVolumeName"].string ?? ""), .string(object.spec["nodeName"].string ?? ""),
            .bool(object.status["attached"].bool ?? false), TableText.age(object, now),
        ]
    }
}
