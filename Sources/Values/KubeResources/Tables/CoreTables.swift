package import KubeMachinery
import Primitives

/// Kinds of the core group as `kubectl get` shows them.
package enum CoreTables {
    package static let nodes = TableLayout([
        TableText.nameColumn, TableColumn("Status", details: "Whether the node is ready and takes pods."),
        TableColumn("Roles", details: "Roles from the node's labels."), TableText.ageColumn,
        TableColumn("Version", details: "The version of the node agent."),
        TableColumn("Internal-IP", details: "The address inside the cluster.", priority: 1),
        TableColumn("External-IP", details: "The address outside the cluster.", priority: 1),
        TableColumn("OS-Image", details: "The operating system.", priority: 1),
        TableColumn("Kernel-Version", details: "The kernel.", priority: 1),
        TableColumn("Container-Runtime", details: "The container runtime and its version.", priority: 1),
    ]) { node, now in
        let info = node.status["nodeInfo"]
        func address(_ type: String) -> JSONValue {
            .string(node.status["addresses"].elements.first { $0["type"].string == type }?["address"].string ?? TableText.none)
        }
        func known(_ value: JSONValue) -> JSONValue { .string(value.string.flatMap { $0.isEmpty ? nil : $0 } ?? "<unknown>") }
        return [
            .string(node.name), .string(nodeStatus(node)), .string(roles(node)), TableText.age(node, now),
            .string(info["kubeletVersion"].string ?? ""), address("InternalIP"), address("ExternalIP"), known(info["osImage"]),
            known(info["kernelVersion"]), known(info["containerRuntimeVersion"]),
        ]
    }

    private static func nodeStatus(_ node: KubeObject) -> String {
        let ready = node.status["conditions"].elements.first { $0["type"].string == "Ready" }
        var words = [ready.map { $0["status"].string == "True" ? "Ready" : "NotReady" } ?? "Unknown"]
        if node.spec["unschedulable"].bool == true { words.append("SchedulingDisabled") }
        return words.joined(separator: ",")
    }

    private static func roles(_ node: KubeObject) -> String {
        let prefix = "node-role.kubernetes.io/"
        var roles: Set<String> = []
        for (key, value) in node.labels {
            if key.hasPrefix(prefix), key.count > prefix.count { roles.insert(String(key.dropFirst(prefix.count))) }
            if key == "kubernetes.io/role", !value.isEmpty { roles.insert(value) }
        }
        return TableText.joined(roles.sorted())
    }

    package static let services = TableLayout([
        TableText.nameColumn, TableColumn("Type", details: "How the service is exposed."),
        TableColumn("Cluster-IP", details: "The address inside the cluster."), TableColumn("External-IP", details: "Addresses outside the cluster."),
        TableColumn("Port(s)", details: "Ports, node ports and protocols."), TableText.ageColumn,
        TableColumn("Selector", details: "Labels by which pods are found.", priority: 1),
    ]) { service, now in
        let selector = service.spec["selector"].stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return [
            .string(service.name), .string(service.spec["type"].string ?? ""),
            .string(TableText.text(service.spec["clusterIP"])), .string(externalAddress(service)),
            .string(
                TableText.joined(
                    service.spec["ports"].elements.map { port in
                        let node = port["nodePort"].int.flatMap { $0 > 0 ? ":\($0)" : nil } ?? ""
                        return "\(port["port"].int ?? 0)\(node)/\(port["protocol"].string ?? "TCP")"
                    })), TableText.age(service, now), .string(TableText.joined(selector)),
        ]
    }

    private static func externalAddress(_ service: KubeObject) -> String {
        let external = service.spec["externalIPs"].strings
        switch service.spec["type"].string {
        case "ExternalName": return TableText.text(service.spec["externalName"])
        case "LoadBalancer":
            let given = service.status["loadBalancer"]["ingress"].elements.compactMap { $0["ip"].string ?? $0["hostname"].string }
            return given.isEmpty && external.isEmpty ? "<pending>" : (given + external).joined(separator: ",")
        default: return TableText.joined(external)
        }
    }

    package static let endpoints = TableLayout([
        TableText.nameColumn, TableColumn("Endpoints", details: "Addresses and ports of ready pods."), TableText.ageColumn,
    ]) { endpoints, now in
        var places: [String] = []
        for subset in endpoints.json["subsets"].elements {
            for address in subset["addresses"].elements {
                let ip = address["ip"].string ?? ""
                let ports = subset["ports"].elements
                places += ports.isEmpty ? [ip] : ports.map { "\(ip):\($0["port"].int ?? 0)" }
            }
        }
        let shown = places.count > 3 ? "\(places.prefix(3).joined(separator: ",")) + \(places.count - 3) more..." : TableText.joined(places)
        return [.string(endpoints.name), .string(shown), TableText.age(endpoints, now)]
    }

    package static let configMaps = TableLayout([
        TableText.nameColumn, TableColumn("Data", type: "string", details: "How many keys there are."), TableText.ageColumn,
    ]) { map, now in
        let count = map.json["data"].members.count + map.json["binaryData"].members.count
        return [.string(map.name), .integer(Int64(count)), TableText.age(map, now)]
    }

    package static let secrets = TableLayout([
        TableText.nameColumn, TableColumn("Type", details: "What the secret is for."),
        TableColumn("Data", type: "string", details: "How many keys there are."), TableText.ageColumn,
    ]) { secret, now in
        [
            .string(secret.name), .string(secret.json["type"].string ?? "Opaque"), .integer(Int64(secret.json["data"].members.count)),
            TableText.age(secret, now),
        ]
    }

    package static let namespaces = TableLayout([
        TableText.nameColumn, TableColumn("Status", details: "Active or Terminating."), TableText.ageColumn,
    ]) { namespace, now in
        [.string(namespace.name), .string(namespace.status["phase"].string ?? ""), TableText.age(namespace, now)]
    }

    package static let serviceAccounts = TableLayout([
        TableText.nameColumn, TableColumn("Secrets", type: "string", details: "How many secrets belong to the account."), TableText.ageColumn,
    ]) { account, now in
        [.string(account.name), .integer(Int64(account.json["secrets"].elements.count)), TableText.age(account, now)]
    }

    package static let events = TableLayout([
        TableColumn("Last Seen", details: "When it was last seen."), TableColumn("Type", details: "Normal or Warning."),
        TableColumn("Reason", details: "Why, in one word."), TableColumn("Object", details: "What it is about."),
        TableColumn("Subobject", details: "The part of the object.", priority: 1), TableColumn("Source", details: "Who reported it.", priority: 1),
        TableColumn("Message", details: "What happened."), TableColumn("First Seen", details: "When it was first seen.", priority: 1),
        TableColumn("Count", details: "How often it was seen.", priority: 1), TableColumn("Name", format: "name", details: "The name.", priority: 1),
    ]) { event, now in
        let json = event.json
        func time(_ value: JSONValue) -> Timestamp? { value.string.flatMap(Timestamp.init(rfc3339:)) }
        let first = time(json["firstTimestamp"]) ?? time(json["eventTime"])
        let last = time(json["series"]["lastObservedTime"]) ?? time(json["lastTimestamp"]) ?? first
        let about = json["involvedObject"]
        let component = json["source"]["component"].string ?? json["reportingComponent"].string ?? ""
        let host = json["source"]["host"].string ?? json["reportingInstance"].string ?? ""
        let kind = (about["kind"].string ?? "").lowercased()
        let count = json["series"]["count"].int ?? json["count"].int ?? 1
        return [
            .string(AgeText.since(last, now: now)), .string(json["type"].string ?? ""), .string(json["reason"].string ?? ""),
            .string("\(kind)/\(about["name"].string ?? "")"), .string(about["fieldPath"].string ?? ""),
            .string(host.isEmpty ? component : "\(component), \(host)"),
            .string((json["message"].string ?? "").split(separator: "\n").joined(separator: " ")), .string(AgeText.since(first, now: now)),
            .integer(max(count, 1)), .string(event.name),
        ]
    }

    package static let persistentVolumes = TableLayout([
        TableText.nameColumn, TableColumn("Capacity"), TableColumn("Access Modes"), TableColumn("Reclaim Policy"), TableColumn("Status"),
        TableColumn("Claim"), TableColumn("StorageClass"), TableColumn("Reason"), TableText.ageColumn, TableColumn("VolumeMode", priority: 1),
    ]) { volume, now in
        let claim = volume.spec["claimRef"]
        let phase = volume.deletionTimestamp == nil ? volume.status["phase"].string ?? "" : "Terminating"
        return [
            .string(volume.name), .string(volume.spec["capacity"]["storage"].string ?? ""),
            .string(TableText.accessModes(volume.spec["accessModes"])), .string(volume.spec["persistentVolumeReclaimPolicy"].string ?? ""),
            .string(phase), .string(claim.isNull ? "" : "\(claim["namespace"].string ?? "")/\(claim["name"].string ?? "")"),
            .string(volume.spec["storageClassName"].string ?? ""), .string(volume.status["reason"].string ?? ""), TableText.age(volume, now),
            .string(volume.spec["volumeMode"].string ?? "<unset>"),
        ]
    }

    package static let persistentVolumeClaims = TableLayout([
        TableText.nameColumn, TableColumn("Status"), TableColumn("Volume"), TableColumn("Capacity"), TableColumn("Access Modes"),
        TableColumn("StorageClass"), TableText.ageColumn, TableColumn("VolumeMode", priority: 1),
    ]) { claim, now in
        let phase = claim.deletionTimestamp == nil ? claim.status["phase"].string ?? "" : "Terminating"
        let isBound = !(claim.spec["volumeName"].string ?? "").isEmpty
        return [
            .string(claim.name), .string(phase), .string(claim.spec["volumeName"].string ?? ""),
            .string(isBound ? claim.status["capacity"]["storage"].string ?? "" : ""),
            .string(isBound ? TableText.accessModes(claim.status["accessModes"]) : ""), .string(claim.spec["storageClassName"].string ?? ""),
            TableText.age(claim, now), .string(claim.spec["volumeMode"].string ?? "<unset>"),
        ]
    }
}
