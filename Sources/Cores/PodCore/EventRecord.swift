package import KubeMachinery
package import Primitives

/// An event with its count and times, as the cluster keeps it.
package struct EventRecord: Sendable, Hashable {
    package var event: KubeletEvent
    /// Makes the name unique: nanoseconds of the first occurrence, written in hex.
    package var number: UInt64
    package var count: Int64
    package var first: Timestamp
    package var last: Timestamp

    package init(_ event: KubeletEvent, number: UInt64, count: Int64 = 1, first: Timestamp, last: Timestamp) {
        self.event = event
        self.number = number
        self.count = count
        self.first = first
        self.last = last
    }

    /// The name and namespace of the Event object; events of the node are in `default`.
    package var key: ObjectKey {
        let namespace = event.subject.namespace.isEmpty ? "default" : event.subject.namespace
        return ObjectKey(namespace: namespace, name: "\(event.subject.name).\(String(number, radix: 16))")
    }
}

extension EventRecord {
    private static let component = "kubelet"

    /// The Event object, member for member as a Go kubelet makes it.
    package func object(node: String) -> KubeObject {
        let subject = event.subject
        var involved: JSONValue = ["kind": .string(subject.kind)]
        if !subject.namespace.isEmpty { involved["namespace"] = .string(subject.namespace) }
        involved["name"] = .string(subject.name)
        involved["uid"] = .string(subject.uid)
        // A node's events name it without a version.
        if subject.kind != "Node" { involved["apiVersion"] = "v1" }
        if !subject.fieldPath.isEmpty { involved["fieldPath"] = .string(subject.fieldPath) }
        let key = key
        return KubeObject([
            "metadata": ["name": .string(key.name), "namespace": .string(key.namespace ?? "default"), "creationTimestamp": .null],
            "involvedObject": involved, "reason": .string(event.reason), "message": .string(event.message),
            "source": ["component": .string(Self.component), "host": .string(node)], "firstTimestamp": .string(first.rfc3339),
            "lastTimestamp": .string(last.rfc3339), "count": .integer(count), "type": .string(event.level.rawValue), "eventTime": .null,
            "reportingComponent": .string(Self.component), "reportingInstance": .string(node),
        ])
    }

    /// The strategic merge patch that brings an event that the cluster has to this count.
    package var patch: JSONValue { ["count": .integer(count), "lastTimestamp": .string(last.rfc3339), "message": .string(event.message)] }

    /// Reads what `object` made; nil where it is something else.
    package init?(_ object: KubeObject) {
        let json = object.json
        let involved = json["involvedObject"]
        guard let kind = involved["kind"].string, let name = involved["name"].string, let reason = json["reason"].string,
            let level = json["type"].string.flatMap(KubeletEvent.Level.init), object.name.hasPrefix(name + "."),
            let number = UInt64(object.name.dropFirst(name.utf8.count + 1), radix: 16),
            let first = json["firstTimestamp"].string.flatMap(Timestamp.init(rfc3339:)),
            let last = json["lastTimestamp"].string.flatMap(Timestamp.init(rfc3339:))
        else { return nil }
        let subject = KubeletEvent.Subject(
            kind: kind, namespace: involved["namespace"].string ?? "", name: name, uid: involved["uid"].string ?? "",
            fieldPath: involved["fieldPath"].string ?? "")
        self.init(
            KubeletEvent(subject, level, reason: reason, message: json["message"].string ?? ""), number: number, count: json["count"].int ?? 1,
            first: first, last: last)
    }
}
