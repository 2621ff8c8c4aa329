/// A control group of the kubelet by its names from the root on (`spec/05 §21.6`).
package struct CgroupName: Sendable, Hashable {
    package var names: [String]

    package init(_ names: [String]) { self.names = names }

    package func child(_ name: String) -> CgroupName { CgroupName(names + [name]) }

    /// Where the group is below the file system of control groups, `/kubepods/burstable/pod…` or
    /// `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod….slice`.
    package func path(usesSystemd: Bool) -> String {
        guard usesSystemd else { return "/" + names.joined(separator: "/") }
        return names.indices.map { "/" + Self.slice(names[...$0]) }.joined()
    }

    /// The group as the runtime wants it in `cgroup_parent`: the path, or systemd's name of the last slice.
    package func runtimeParent(usesSystemd: Bool) -> String {
        usesSystemd ? Self.slice(names[...]) : path(usesSystemd: false)
    }

    private static func slice(_ names: ArraySlice<String>) -> String {
        names.map { name in String(name.map { $0 == "-" ? "_" : $0 }) }.joined(separator: "-") + ".slice"
    }
}

extension NodeFacts {
    /// The group of all pods.
    package var podsCgroup: CgroupName { CgroupName(cgroupRoot.split(separator: "/").map(String.init) + ["kubepods"]) }

    /// The group of all pods of a class; that of all pods for guaranteed ones.
    package func cgroup(of quality: QualityOfService) -> CgroupName {
        quality == .guaranteed ? podsCgroup : podsCgroup.child(quality.rawValue.lowercased())
    }

    /// Where a group is below the file system of control groups.
    package func path(_ group: CgroupName) -> String { group.path(usesSystemd: usesSystemdCgroups) }
}

extension PodView {
    /// The pod's own group.
    package func cgroup(_ node: NodeFacts) -> CgroupName { node.cgroup(of: qualityOfService).child("pod\(uid)") }

    /// The pod's own group as the runtime is told.
    package func cgroupParent(_ node: NodeFacts) -> String { cgroup(node).runtimeParent(usesSystemd: node.usesSystemdCgroups) }
}
