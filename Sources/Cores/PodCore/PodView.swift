package import KubeMachinery
package import Primitives

/// A pod object read as the kubelet reads it: nothing is copied, nothing is checked, defaults of the API are filled in.
package struct PodView: Sendable, Hashable {
    package var object: KubeObject

    package init(_ object: KubeObject) { self.object = object }

    /// When containers that have ended are started again.
    package enum RestartPolicy: String, Sendable { case always = "Always", onFailure = "OnFailure", never = "Never" }

    package var name: String { object.name }
    package var namespace: String { object.namespace ?? "default" }
    package var uid: String { object.uid }
    package var spec: JSONValue { object.spec }
    /// `name_namespace(uid)`, as the kubelet names a pod in messages.
    package var fullName: String { "\(name)_\(namespace)(\(uid))" }

    package var containers: [ContainerView] { spec["containers"].elements.map { ContainerView($0, kind: .regular) } }
    package var initContainers: [ContainerView] { spec["initContainers"].elements.map { ContainerView($0, kind: .initialization) } }
    package var ephemeralContainers: [ContainerView] { spec["ephemeralContainers"].elements.map { ContainerView($0, kind: .ephemeral) } }
    /// Init, regular and ephemeral containers, in this order.
    package var allContainers: [ContainerView] { initContainers + containers + ephemeralContainers }
    /// The container of that name in any of the three lists.
    package func container(named name: String) -> ContainerView? { allContainers.first { $0.name == name } }

    /// Containers that run for as long as the pod does: the regular ones and restartable init containers.
    package var lastingContainers: [ContainerView] { initContainers.filter(\.isRestartable) + containers }

    package var restartPolicy: RestartPolicy { spec["restartPolicy"].string.flatMap(RestartPolicy.init) ?? .always }
    package var usesHostNetwork: Bool { spec["hostNetwork"].bool ?? false }
    package var usesHostPID: Bool { spec["hostPID"].bool ?? false }
    package var usesHostIPC: Bool { spec["hostIPC"].bool ?? false }
    package var sharesProcessNamespace: Bool { spec["shareProcessNamespace"].bool ?? false }
    package var wantsServiceVariables: Bool { spec["enableServiceLinks"].bool ?? true }
    package var securityContext: JSONValue { spec["securityContext"] }
    package var serviceAccountName: String { spec["serviceAccountName"].string ?? spec["serviceAccount"].string ?? "default" }
    package var nodeName: String { spec["nodeName"].string ?? "" }
    package var priorityClassName: String { spec["priorityClassName"].string ?? "" }

    /// Seconds that a running pod may live; nil without a limit.
    package var activeDeadline: Duration? { spec["activeDeadlineSeconds"].int.map { .seconds($0) } }
    package var terminationGrace: Duration? { spec["terminationGracePeriodSeconds"].int.map { .seconds($0) } }
    package var deletionGrace: Duration? { object.deletionGracePeriodSeconds.map { .seconds($0) } }
    package var isDeleted: Bool { !object.metadata["deletionTimestamp"].isNull }

    package var phase: String { object.status["phase"].string ?? "" }
    /// Whether the stored phase is one that never changes back.
    package var isTerminal: Bool { phase == "Failed" || phase == "Succeeded" }

    /// Whether the pod comes from a file of the node (`spec/05 §28`).
    package var isStatic: Bool {
        guard let source = object.annotations["kubernetes.io/config.source"] else { return false }
        return source != "api"
    }
    package var isMirror: Bool { object.annotations["kubernetes.io/config.mirror"] != nil }
    /// Static, mirror, or of system priority: admitted under pressure and last to be killed.
    package var isCritical: Bool { isStatic || isMirror || (spec["priority"].int ?? 0) >= 2_000_000_000 }
}

/// One container of a pod's spec.
package struct ContainerView: Sendable, Hashable {
    /// The list of the spec that the container stands in.
    package enum Kind: Sendable { case initialization, regular, ephemeral }

    package var json: JSONValue
    package var kind: Kind

    package init(_ json: JSONValue, kind: Kind) {
        self.json = json
        self.kind = kind
    }

    package var name: String { json["name"].string ?? "" }
    package var image: String { json["image"].string ?? "" }
    package var securityContext: JSONValue { json["securityContext"] }
    package var resources: JSONValue { json["resources"] }
    package var ports: [JSONValue] { json["ports"].elements }
    package var volumeMounts: [JSONValue] { json["volumeMounts"].elements }
    package var terminationMessagePath: String { json["terminationMessagePath"].string ?? "/dev/termination-log" }
    package var terminationMessagePolicy: String { json["terminationMessagePolicy"].string ?? "File" }
    /// Whether this is an init container that goes on running beside the others (`restartPolicy: Always`, gate `SidecarContainers`).
    package var isRestartable: Bool { kind == .initialization && json["restartPolicy"].string == "Always" }
    package var isPrivileged: Bool { securityContext["privileged"].bool ?? false }

    package var livenessProbe: JSONValue? { json.given("livenessProbe") }
    package var readinessProbe: JSONValue? { json.given("readinessProbe") }
    package var startupProbe: JSONValue? { json.given("startupProbe") }
    /// The handler to run before the container is stopped.
    package var preStop: JSONValue? { json["lifecycle"].given("preStop") }
    /// The handler to run right after the container has started.
    package var postStart: JSONValue? { json["lifecycle"].given("postStart") }
}

extension JSONValue {
    /// The member where it is there and not `null`.
    func given(_ key: String) -> JSONValue? {
        guard let value = member(key), !value.isNull else { return nil }
        return value
    }
}
