/// Labels that tie sandboxes and containers to their pod (`spec/05 §8.1–8.2`).
package enum ContainerLabel {
    package static let podName = "io.kubernetes.pod.name"
    package static let podNamespace = "io.kubernetes.pod.namespace"
    package static let podUID = "io.kubernetes.pod.uid"
    package static let containerName = "io.kubernetes.container.name"
}

/// Annotations that let a restarted agent, or another one, take over a container (`spec/05 §8.3`).
package enum ContainerAnnotation {
    package static let restartCount = "io.kubernetes.container.restartCount"
    package static let terminationMessagePath = "io.kubernetes.container.terminationMessagePath"
    package static let terminationMessagePolicy = "io.kubernetes.container.terminationMessagePolicy"
    package static let preStopHandler = "io.kubernetes.container.preStopHandler"
    package static let ports = "io.kubernetes.container.ports"
    package static let deletionGracePeriod = "io.kubernetes.pod.deletionGracePeriod"
    package static let terminationGracePeriod = "io.kubernetes.pod.terminationGracePeriod"
}
