/// Something that happened to a pod or to the node, in the kubelet's own words: what `kubectl describe` shows under Events.
package struct KubeletEvent: Sendable, Hashable {
    package enum Level: String, Sendable { case normal = "Normal", warning = "Warning" }

    /// What an event is about.
    package struct Subject: Sendable, Hashable {
        package var kind: String
        /// Empty for the node.
        package var namespace: String
        package var name: String
        package var uid: String
        /// `spec.containers{name}`; empty for the whole object.
        package var fieldPath: String

        package init(kind: String, namespace: String, name: String, uid: String, fieldPath: String = "") {
            self.kind = kind
            self.namespace = namespace
            self.name = name
            self.uid = uid
            self.fieldPath = fieldPath
        }

        package static func pod(_ pod: PodView) -> Subject { Subject(kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid) }

        package static func container(_ container: ContainerView, of pod: PodView) -> Subject {
            var subject = Subject.pod(pod)
            let list =
                switch container.kind {
                case .initialization: "initContainers"
                case .regular: "containers"
                case .ephemeral: "ephemeralContainers"
                }
            subject.fieldPath = "spec.\(list){\(container.name)}"
            return subject
        }

        /// The kubelet names a node's events by its name in place of its UID.
        package static func node(_ name: String) -> Subject { Subject(kind: "Node", namespace: "", name: name, uid: name) }
    }

    package var subject: Subject
    package var level: Level
    /// One word: `Pulled`, `BackOff`, `FailedMount`, …
    package var reason: String
    package var message: String

    package init(_ subject: Subject, _ level: Level, reason: String, message: String) {
        self.subject = subject
        self.level = level
        self.reason = reason
        self.message = message
    }
}

/// Takes events. Never waits and never fails: an event that cannot be kept is counted and dropped.
package protocol EventSink: Sendable {
    func record(_ event: KubeletEvent)
}

/// For a kubelet whose events nobody wants.
package struct NoEvents: EventSink {
    package init() {}
    package func record(_ event: KubeletEvent) {}
}
