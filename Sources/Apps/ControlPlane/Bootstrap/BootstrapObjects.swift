import KubeMachinery
import KubeResources
import Primitives

/// What a new cluster holds before anybody has asked for anything: values.
enum BootstrapObjects {
    struct Item: Sendable {
        var resource: GroupVersionResource
        var object: KubeObject
    }

    static func all(endpoint: (host: String, port: Int)) -> [Item] {
        namespaces + BootstrapRoles.all + definitions + [kubernetesService] + kubernetesEndpoints(endpoint)
    }

    static let namespaces: [Item] = ["default", "kube-system", "kube-public", "kube-node-lease", "kubeedge"].map { name in
        Item(resource: Resources.namespaces, object: KubeObject(apiVersion: "v1", kind: "Namespace", name: name))
    }

    /// The custom resources of the platform itself.
    private static let definitions: [Item] = KubeEdgeResources.customResourceDefinitions.map {
        Item(resource: Resources.customResourceDefinitions, object: $0)
    }

    /// The first address of the service range; pods reach the API by it.
    static let serviceAddress = "10.96.0.1"

    private static var kubernetesService: Item {
        var service = KubeObject(apiVersion: "v1", kind: "Service", namespace: "default", name: "kubernetes")
        service.labels = ["component": "apiserver", "provider": "kubernetes"]
        service.json["spec"] = [
            "type": "ClusterIP", "clusterIP": .string(serviceAddress), "sessionAffinity": "None",
            "ports": [["name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443]],
        ]
        return Item(resource: Resources.services, object: service)
    }

    /// None for a server that listens on the loopback alone: nobody else reaches it there.
    private static func kubernetesEndpoints(_ endpoint: (host: String, port: Int)) -> [Item] {
        guard !endpoint.host.hasPrefix("127."), !["", "localhost", "::1", "0.0.0.0", "::"].contains(endpoint.host) else { return [] }
        var endpoints = KubeObject(apiVersion: "v1", kind: "Endpoints", namespace: "default", name: "kubernetes")
        endpoints.json["subsets"] = [
            [
                "addresses": [["ip": .string(endpoint.host)]],
                "ports": [["name": "https", "port": .integer(Int64(endpoint.port)), "protocol": "TCP"]],
            ]
        ]
        return [Item(resource: Resources.endpoints, object: endpoints)]
    }
}
