/// Whether the node can confine a pod as its AppArmor annotations ask (`spec/05 §20.4`).
package enum AppArmorRule {
    static let annotation = "container.apparmor.security.beta.kubernetes.io/"

    /// Why the pod has to wait; nil where it may run. A pod that runs already is not looked at again.
    package static func blockage(_ pod: PodView, node: NodeFacts) -> AdmissionRefusal? {
        guard pod.phase.isEmpty || pod.phase == "Pending" else { return nil }
        let profiles = pod.object.annotations.filter { $0.key.hasPrefix(annotation) }
        guard profiles.contains(where: { $0.value != "unconfined" }) else { return nil }
        func refusal(_ why: String) -> AdmissionRefusal { AdmissionRefusal(reason: "AppArmor", message: "Cannot enforce AppArmor: \(why)") }
        guard node.enforcesAppArmor else { return refusal("AppArmor is not enabled on the host") }
        let names = Set(pod.allContainers.map(\.name))
        for (key, profile) in profiles.sorted(by: { $0.key < $1.key }) where names.contains(String(key.dropFirst(annotation.count))) {
            let isKnown = ["", "runtime/default", "unconfined"].contains(profile) || profile.hasPrefix("localhost/")
            if !isKnown { return refusal("invalid AppArmor profile name: \"\(profile)\"") }
        }
        return nil
    }
}
