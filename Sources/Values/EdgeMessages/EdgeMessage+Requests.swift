package import KubeMachinery
package import Primitives

/// What an edge asks of the cloud (`spec/01 §5.5`): source `edged`, group `meta`.
extension EdgeMessage {
    /// A request about an object in the name of the kubelet.
    package static func request(_ operation: String, _ path: EdgeObjectPath, _ content: JSONValue = .null) -> EdgeMessage {
        EdgeMessage(
            source: EdgeSource.edged, group: EdgeGroup.meta, operation: operation, resource: path.description, content: content)
    }

    /// Asks for an object; answered with the raw object or an error (a lease: with an `ObjectResponse`).
    package static func query(_ type: String, namespace: String, name: String) -> EdgeMessage {
        request(EdgeOperation.query, EdgeObjectPath(namespace: namespace, type: type, name: name))
    }

    /// Asks for the services of a namespace; answered with a raw `ServiceList` of names, cluster addresses and ports, or an error.
    package static func queryServices(namespace: String) -> EdgeMessage { query(EdgeType.serviceList, namespace: namespace, name: namespace) }

    package static func queryNode(_ name: String) -> EdgeMessage {
        query(EdgeType.node, namespace: EdgeObjectPath.defaultNamespace, name: name)
    }

    /// Registers a node; answered with an `ObjectResponse`.
    package static func registerNode(_ node: KubeObject) -> EdgeMessage {
        request(
            EdgeOperation.insert,
            EdgeObjectPath(namespace: EdgeObjectPath.defaultNamespace, type: EdgeType.node, name: node.name), node.json)
    }

    /// Merges labels and annotations into a node; answered with `OK`, by Go clouds not at all where it fails.
    package static func updateNode(_ node: KubeObject) -> EdgeMessage {
        request(
            EdgeOperation.update,
            EdgeObjectPath(namespace: EdgeObjectPath.defaultNamespace, type: EdgeType.node, name: node.name), node.json)
    }

    /// Patches the status of a node (strategic merge); the patch travels as text. Answered with an `ObjectResponse`.
    package static func patchNodeStatus(_ node: String, _ patch: JSONValue) -> EdgeMessage {
        request(
            EdgeOperation.patch, EdgeObjectPath(namespace: EdgeObjectPath.defaultNamespace, type: EdgeType.nodePatch, name: node),
            .string(patch.text()))
    }

    /// Patches the status of a pod (strategic merge); the patch has `metadata.uid`. Answered with an `ObjectResponse`.
    package static func patchPodStatus(_ key: ObjectKey, _ patch: JSONValue) -> EdgeMessage {
        request(EdgeOperation.patch, path(EdgeType.podPatch, key), .string(patch.text()))
    }

    /// Deletes a pod, where a `uid` is given only that one; answered with `OK` or an error.
    package static func deletePod(_ key: ObjectKey, uid: String?, gracePeriod seconds: Int64 = 0) -> EdgeMessage {
        var options: JSONValue = ["gracePeriodSeconds": .integer(seconds)]
        if let uid { options["preconditions"]["uid"] = .string(uid) }
        return request(EdgeOperation.delete, path(EdgeType.pod, key), options)
    }

    /// Creates a pod (the mirror of a static one); answered with an `ObjectResponse`.
    package static func createPod(_ pod: KubeObject) -> EdgeMessage {
        request(EdgeOperation.insert, path(EdgeType.pod, pod.key), pod.json)
    }

    /// Asks for a token of a service account; `request` is a `TokenRequest`. Answered with the raw TokenRequest or an error.
    package static func requestToken(serviceAccount: ObjectKey, _ tokenRequest: JSONValue) -> EdgeMessage {
        request(EdgeOperation.query, path(EdgeType.serviceAccountToken, serviceAccount), tokenRequest)
    }

    /// Asks for the lease of a node; answered with an `ObjectResponse`.
    package static func queryLease(_ node: String) -> EdgeMessage {
        query(EdgeType.lease, namespace: EdgeObjectPath.leaseNamespace, name: node)
    }

    package static func createLease(_ lease: KubeObject) -> EdgeMessage {
        request(
            EdgeOperation.insert, EdgeObjectPath(namespace: EdgeObjectPath.leaseNamespace, type: EdgeType.lease, name: lease.name), lease.json)
    }

    package static func updateLease(_ lease: KubeObject) -> EdgeMessage {
        request(
            EdgeOperation.update, EdgeObjectPath(namespace: EdgeObjectPath.leaseNamespace, type: EdgeType.lease, name: lease.name), lease.json)
    }

    /// Creates a CertificateSigningRequest; answered with an `ObjectResponse`.
    package static func createSigningRequest(_ signingRequest: KubeObject) -> EdgeMessage {
        request(
            EdgeOperation.insert,
            EdgeObjectPath(namespace: EdgeObjectPath.defaultNamespace, type: EdgeType.signingRequest, name: signingRequest.name),
            signingRequest.json)
    }

    /// Reports a new Event (the form of v1.19 and later). Never answered, unless it `wantsAnswer`: then with `OK` or an error.
    package static func createEvent(_ event: KubeObject) -> EdgeMessage {
        request(EdgeOperation.insert, path(EdgeType.event, event.key), event.json)
    }

    /// Reports that an event has happened again: the whole Event as it is now, and the strategic merge patch that leads to it as text.
    package static func patchEvent(_ event: KubeObject, _ patch: JSONValue) -> EdgeMessage {
        request(EdgeOperation.patch, path(EdgeType.event, event.key), ["event": event.json, "patchData": .string(patch.text())])
    }

    /// Asks for the CA of the Kubernetes API as PEM text (`spec/01 §5.8`).
    package static func queryKubernetesCA() -> EdgeMessage {
        EdgeMessage(
            source: EdgeSource.metaManager, group: EdgeGroup.meta, operation: EdgeOperation.query, resource: "k8s/ca.crt", content: .null)
    }

    /// The sign of life of an edge (`spec/01 §3.4`).
    package static func keepalive(id: String = UniqueID.next(), now: Timestamp = SystemClock().now().wall) -> EdgeMessage {
        EdgeMessage(
            source: EdgeSource.websocket, group: EdgeGroup.resource, operation: EdgeOperation.keepalive, resource: "node", content: "ping",
            id: id, now: now)
    }

    private static func path(_ type: String, _ key: ObjectKey) -> EdgeObjectPath {
        EdgeObjectPath(namespace: key.namespace ?? EdgeObjectPath.clusterNamespace, type: type, name: key.name)
    }
}
