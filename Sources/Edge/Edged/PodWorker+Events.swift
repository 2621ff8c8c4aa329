import PodCore

extension PodWorker {
    /// Tells users something about the pod.
    func record(_ notice: KubeletNotice) { context.events.record(KubeletEvent(.pod(pod), notice)) }

    /// Tells users something about a container of the pod. The ID in a runtime's words becomes the name, so that the same trouble counts as the same.
    func record(_ notice: KubeletNotice, about container: ContainerView, id: String = "") {
        var notice = notice
        if !id.isEmpty { notice.message.replaceAll(id, with: container.name) }
        context.events.record(KubeletEvent(.container(container, of: pod), notice))
    }

    /// Tells what is wrong with the pod's resolver configuration.
    func recordResolver(_ node: NodeFacts) {
        let resolver = ResolverPlan(pod, node: node)
        for notice in KubeletNotice.resolver(resolver) { record(notice) }
        guard resolver.lacksClusterDNS else { return }
        context.events.record(KubeletEvent(.node(node.name), .clusterDNSMissing(nil)))
        record(.clusterDNSMissing(pod))
    }

    /// Tells what a probe of a container came to.
    func recordProbe(_ notice: KubeletNotice, _ key: PodProbes.Key) {
        if let container = pod.container(named: key.container) { record(notice, about: container) }
    }

    /// Tells of containers that wait for their next start, once a turn.
    func recordBackOffs() {
        for name in lifecycle.backingOff {
            if let container = pod.container(named: name) { record(.restartBackOff(name, of: pod), about: container) }
        }
    }
}

extension String {
    fileprivate mutating func replaceAll(_ part: String, with other: String) {
        while let range = firstRange(of: part) { replaceSubrange(range, with: other) }
    }
}
