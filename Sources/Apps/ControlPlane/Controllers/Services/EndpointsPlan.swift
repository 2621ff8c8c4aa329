import KubeMachinery
import Primitives

/// The Endpoints of a service: the addresses of the pods it selects.
enum EndpointsPlan {
    /// nil for a service without a selector: its Endpoints are written by others.
    static func endpoints(of service: KubeObject, pods: [KubeObject]) -> KubeObject? {
        let selector = service.spec["selector"].stringMap
        guard !selector.isEmpty, service.spec["type"].string != "ExternalName" else { return nil }
        var endpoints = KubeObject(apiVersion: "v1", kind: "Endpoints", namespace: service.namespace, name: service.name)
        endpoints.labels = service.labels
        let publishesAll = service.spec["publishNotReadyAddresses"].bool == true
        var groups: [[JSONValue]: (ready: [JSONValue], notReady: [JSONValue])] = [:]
        for pod in pods.sorted(by: { $0.key < $1.key }) {
            guard pod.namespace == service.namespace, !pod.isFinished, !pod.isTerminating, let address = pod.status["podIP"].string, !address.isEmpty,
                selector.allSatisfy({ pod.labels[$0.key] == $0.value })
            else { continue }
            let ports = service.spec["ports"].elements.compactMap { port(of: $0, on: pod) }
            guard !ports.isEmpty || service.spec["ports"].elements.isEmpty else { continue }
            let entry: JSONValue = [
                "ip": .string(address), "nodeName": .string(pod.nodeName),
                "targetRef": [
                    "kind": "Pod", "namespace": .string(pod.namespace ?? ""), "name": .string(pod.name), "uid": .string(pod.uid),
                ],
            ]
            if pod.isTrue("Ready") || publishesAll {
                groups[ports, default: ([], [])].ready.append(entry)
            } else {
                groups[ports, default: ([], [])].notReady.append(entry)
            }
        }
        let subsets = groups.sorted { JSONValue.array($0.key).text() < JSONValue.array($1.key).text() }.map { ports, addresses -> JSONValue in
            var subset: JSONValue = [:]
            if !addresses.ready.isEmpty { subset["addresses"] = .array(addresses.ready) }
            if !addresses.notReady.isEmpty { subset["notReadyAddresses"] = .array(addresses.notReady) }
            if !ports.isEmpty { subset["ports"] = .array(ports) }
            return subset
        }
        if !subsets.isEmpty { endpoints.json["subsets"] = .array(subsets) }
        return endpoints
    }

    /// nil where the target is a name that no container of the pod has.
    private static func port(of port: JSONValue, on pod: KubeObject) -> JSONValue? {
        let transport = port["protocol"].string ?? "TCP"
        var number = port["targetPort"].count ?? (port["targetPort"].isNull ? port["port"].count : nil)
        if let name = port["targetPort"].string {
            let ports = pod.spec["containers"].elements.flatMap { $0["ports"].elements }
            number = ports.first { $0["name"].string == name && ($0["protocol"].string ?? "TCP") == transport }?["containerPort"].count
        }
        guard let number else { return nil }
        var entry: JSONValue = [:]
        if let name = port["name"].string { entry["name"] = .string(name) }
        entry["port"] = .integer(Int64(number))
        entry["protocol"] = .string(transport)
        return entry
    }
}
