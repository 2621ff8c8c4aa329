package import KubeMachinery

/// Pods that come to a node without passing the API: what the API would have done with them.
package enum PodManifest {
    /// Fills in what the API fills in.
    package static func complete(_ pod: inout KubeObject) { PodDefaults.apply(to: &pod.spec, isPod: true) }

    /// Throws 422 `Invalid` with every cause where the API would not take the pod.
    package static func check(_ pod: KubeObject) throws(KubeStatus) {
        var errors = MetadataRules.check(pod.metadata, isNamespaced: true, name: .dnsSubdomain)
        errors.append(PodValidation.check(pod.spec, path: "spec", metadata: pod.metadata))
        if let status = errors.status(kind: "Pod", group: "", name: pod.name) { throw status }
    }
}
