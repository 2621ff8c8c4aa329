import KubeMachinery
package import Primitives

/// Makes strategic merge patches between an old and a new status, as the kubelet sends them (`spec/05 §5.5, §15.11`).
///
/// Only what changed appears; what is gone is `null`. `null` and missing are the same thing in a status.
package enum StatusPatch {
    /// The patch of a pod's status, nil where nothing changed. `qosClass` belongs to the API server and is never part of it.
    package static func pod(from old: JSONValue, to new: JSONValue) -> JSONValue? {
        var new = new
        new.setMember("qosClass", old.member("qosClass"))
        return status(StrategicMergePatch.difference(from: ["status": old], to: ["status": kept(old, new)], schema: MergePaths.podStatus))
    }

    /// The patch of a node's status, nil where nothing changed. Addresses are replaced as a whole.
    package static func node(from old: JSONValue, to new: JSONValue) -> JSONValue? {
        status(
            StrategicMergePatch.difference(
                from: ["status": old], to: ["status": kept(old, new)], schema: MergePaths.nodeStatus, replacing: ["status.addresses"]))
    }

    /// `new` with the old value of every member that says the same.
    private static func kept(_ old: JSONValue, _ new: JSONValue) -> JSONValue {
        var new = new
        for (key, value) in new.members { if let before = old.member(key), says(before, value) { new[key] = before } }
        return new
    }

    private static func says(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.object(let one), .object(let other)):
            Set(one.keys).union(other.keys).allSatisfy { says(one[$0] ?? .null, other[$0] ?? .null) }
        case (.array(let one), .array(let other)): one.count == other.count && zip(one, other).allSatisfy(says)
        default: one == other
        }
    }

    private static func status(_ patch: JSONValue) -> JSONValue? {
        guard !patch["status"].members.isEmpty else { return nil }
        return patch["status"]
    }
}
