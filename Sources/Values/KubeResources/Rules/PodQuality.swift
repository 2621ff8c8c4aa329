package import KubeMachinery
import Primitives

/// The quality-of-service class of a pod.
package enum PodQuality: String, Sendable {
    case guaranteed = "Guaranteed"
    case burstable = "Burstable"
    case bestEffort = "BestEffort"

    /// From the CPU and memory requests and limits of all containers.
    package init(pod: KubeObject) {
        let containers = pod.spec["initContainers"].elements + pod.spec["containers"].elements
        var isAnySet = false
        var isGuaranteed = !containers.isEmpty
        for container in containers {
            for resource in ["cpu", "memory"] {
                let limit = container["resources"]["limits"][resource].quantity
                let request = container["resources"]["requests"][resource].quantity ?? limit
                if !(limit?.isZero ?? true) || !(request?.isZero ?? true) { isAnySet = true }
                if limit?.isZero ?? true || limit != request { isGuaranteed = false }
            }
        }
        self = isAnySet ? (isGuaranteed ? .guaranteed : .burstable) : .bestEffort
    }
}
