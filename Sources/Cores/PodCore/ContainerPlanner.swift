package import KubeMachinery
import Primitives

/// A volume that is ready to be mounted into containers.
package struct MountedVolume: Sendable, Hashable {
    package var hostPath: String
    /// Whether the volume itself can only be read (configMap, secret, projected, downwardAPI).
    package var isReadOnly: Bool
    /// A disk, not a directory: for `volumeDevices`.
    package var isDevice: Bool
    /// The group that may use it; containers get it.
    package var group: Int64?

    package init(hostPath: String, isReadOnly: Bool, isDevice: Bool = false, group: Int64? = nil) {
        self.hostPath = hostPath
        self.isReadOnly = isReadOnly
        self.isDevice = isDevice
        self.group = group
    }
}

/// A part of a volume that is bound to a place of its own before the container is made (`spec/05 §12.9`).
package struct SubPathPlan: Sendable, Hashable {
    /// The directory of the volume on the host.
    package var volumePath: String
    /// Relative, without `..`; missing directories are made, links never lead out of the volume.
    package var subPath: String
    /// Where it is bound to: the host path of the mount.
    package var target: String
    package var isReadOnly: Bool
}

/// A container's plan with what has to be done on the host before it is made.
package struct ContainerBlueprint: Sendable, Hashable {
    package var plan: ContainerPlan
    package var subPaths: [SubPathPlan] = []
    /// A file to make empty with mode 0666; nil where the container has no termination message.
    package var terminationLog: String?
    /// Keys of configMaps and secrets that cannot name a variable, for an event.
    package var skippedKeys: [ObjectReference: [String]] = [:]
}

/// Makes the plans of a pod's containers (`spec/05 §12.7, §20–21`).
package struct ContainerPlanner: Sendable {
    package var pod: PodView
    package var node: NodeFacts
    package var objects: PodObjects
    /// Services of the pod's namespace, where it wants to know them.
    package var services: [KubeObject]
    /// Addresses of the sandbox.
    package var addresses: [String]
    /// By volume name.
    package var volumes: [String: MountedVolume]

    package init(
        pod: PodView, node: NodeFacts, objects: PodObjects, services: [KubeObject] = [], addresses: [String], volumes: [String: MountedVolume]
    ) {
        self.pod = pod
        self.node = node
        self.objects = objects
        self.services = services
        self.addresses = addresses
        self.volumes = volumes
    }

    /// The blueprint of one container. `image` is what the runtime has, `logToken` eight random hex digits, `target` the ID of the
    /// container whose processes an ephemeral container joins.
    ///
    /// Throws `CreateContainerConfigError` with the kubelet's words.
    package func blueprint(
        _ container: ContainerView, attempt: UInt32, image: ImageState, logToken: String, target: String? = nil
    ) throws(StartFailure) -> ContainerBlueprint {
        let variables = try EnvironmentPlan.resolve(
            container, in: pod, objects: objects, services: services, addresses: addresses, node: node)
        var blueprint = ContainerBlueprint(plan: ContainerPlan(), skippedKeys: variables.skippedKeys)
        var plan = ContainerPlan()
        plan.name = container.name
        plan.attempt = attempt
        plan.image = image.id
        plan.userImage = container.image
        plan.command = container.json["command"].strings.map { VariableExpansion.expand($0) { variables[$0] } }
        plan.arguments = container.json["args"].strings.map { VariableExpansion.expand($0) { variables[$0] } }
        plan.workingDirectory = container.json["workingDir"].string ?? ""
        plan.environment = variables.list
        (plan.mounts, blueprint.subPaths) = try mounts(container, variables)
        if !plan.mounts.contains(where: { $0.containerPath == "/etc/hosts" }), !addresses.isEmpty || pod.usesHostNetwork {
            plan.mounts.append(MountPlan(containerPath: "/etc/hosts", hostPath: node.hostsFilePath(pod.uid), isReadOnly: false))
        }
        if !container.terminationMessagePath.isEmpty {
            let path = "\(node.containerDirectory(pod.uid, container.name))/\(logToken)"
            blueprint.terminationLog = path
            plan.mounts.append(MountPlan(containerPath: container.terminationMessagePath, hostPath: path, isReadOnly: false))
        }
        plan.labels = [
            ContainerLabel.podName: pod.name, ContainerLabel.podNamespace: pod.namespace, ContainerLabel.podUID: pod.uid,
            ContainerLabel.containerName: container.name,
        ]
        plan.annotations = annotations(container, attempt: attempt)
        plan.logPath = "\(container.name)/\(attempt).log"
        plan.stdin = container.json["stdin"].bool ?? false
        plan.stdinOnce = container.json["stdinOnce"].bool ?? false
        plan.tty = container.json["tty"].bool ?? false
        plan.devices += try disks(container)
        plan.resources = ResourcePlan(container, in: pod, node: node)
        plan.security = try ContainerSecurityPlan(container, in: pod, image: image, node: node, target: target)
        plan.security.supplementalGroups = pod.supplementalGroups(with: volumes.values)
        blueprint.plan = plan
        return blueprint
    }

    private func mounts(_ container: ContainerView, _ variables: EnvironmentPlan.Variables) throws(StartFailure) -> ([MountPlan], [SubPathPlan]) {
        var mounts: [MountPlan] = []
        var subPaths: [SubPathPlan] = []
        for (index, mount) in container.volumeMounts.enumerated() {
            let name = mount["name"].string ?? ""
            guard let volume = volumes[name] else {
                throw .configuration("cannot find volume \"\(name)\" to mount into container \"\(container.name)\"")
            }
            let isReadOnly = mount["readOnly"].bool == true || volume.isReadOnly
            var hostPath = volume.hostPath
            if let subPath = try subPath(mount, variables) {
                hostPath = "\(node.podDirectory(pod.uid))/volume-subpaths/\(name)/\(container.name)/\(index)"
                subPaths.append(SubPathPlan(volumePath: volume.hostPath, subPath: subPath, target: hostPath, isReadOnly: isReadOnly))
            }
            var containerPath = mount["mountPath"].string ?? ""
            if !containerPath.hasPrefix("/") { containerPath = "/" + containerPath }
            mounts.append(
                MountPlan(
                    containerPath: containerPath, hostPath: hostPath, isReadOnly: isReadOnly,
                    propagation: try propagation(mount["mountPropagation"].string, container)))
        }
        return (mounts, subPaths)
    }

    /// The volumes that the container gets as disks (`spec/05 §19.11`).
    private func disks(_ container: ContainerView) throws(StartFailure) -> [DevicePlan] {
        var devices: [DevicePlan] = []
        for device in container.volumeDevices {
            let name = device["name"].string ?? ""
            guard let volume = volumes[name], volume.isDevice else {
                throw .configuration("cannot find volume \"\(name)\" to pass into container \"\(container.name)\"")
            }
            devices.append(
                DevicePlan(
                    containerPath: device["devicePath"].string ?? "", hostPath: volume.hostPath, permissions: volume.isReadOnly ? "r" : "mrw"))
        }
        return devices
    }

    private func subPath(_ mount: JSONValue, _ variables: EnvironmentPlan.Variables) throws(StartFailure) -> String? {
        var path = mount["subPath"].string ?? ""
        if let expression = mount["subPathExpr"].string, !expression.isEmpty {
            let unknown = VariableExpansion.unknown(in: expression) { variables[$0] }
            guard unknown.isEmpty else {
                throw .configuration("failed to expand subPathExpr \"\(expression)\": missing value for \"\(unknown.joined(separator: ", "))\"")
            }
            path = VariableExpansion.expand(expression) { variables[$0] }
        }
        guard !path.isEmpty else { return nil }
        guard !path.hasPrefix("/") else { throw .configuration("error SubPath `\(path)` must not be an absolute path") }
        guard !path.split(separator: "/").contains("..") else {
            throw .configuration("unable to provision SubPath `\(path)`: must not contain '..'")
        }
        return path
    }

    private func propagation(_ mode: String?, _ container: ContainerView) throws(StartFailure) -> MountPlan.Propagation {
        switch mode {
        case nil, "None", "": return .isPrivate
        case "HostToContainer": return .hostToContainer
        case "Bidirectional" where container.isPrivileged: return .bidirectional
        case "Bidirectional": throw .configuration("Bidirectional mount propagation is available only to privileged containers")
        default: throw .configuration("invalid MountPropagation mode: \"\(mode ?? "")\"")
        }
    }

    private func annotations(_ container: ContainerView, attempt: UInt32) -> [String: String] {
        var annotations = [
            ContainerHash.annotation: ContainerHash.text(container.json), ContainerAnnotation.restartCount: String(attempt),
            ContainerAnnotation.terminationMessagePath: container.terminationMessagePath,
            ContainerAnnotation.terminationMessagePolicy: container.terminationMessagePolicy,
        ]
        if let seconds = pod.object.deletionGracePeriodSeconds { annotations[ContainerAnnotation.deletionGracePeriod] = String(seconds) }
        if let seconds = pod.spec["terminationGracePeriodSeconds"].int { annotations[ContainerAnnotation.terminationGracePeriod] = String(seconds) }
        if let hook = container.preStop { annotations[ContainerAnnotation.preStopHandler] = hook.text(.goEscapes) }
        if !container.ports.isEmpty { annotations[ContainerAnnotation.ports] = JSONValue.array(container.ports).text(.goEscapes) }
        return annotations
    }
}
