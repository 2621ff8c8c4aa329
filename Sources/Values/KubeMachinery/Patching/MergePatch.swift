package import Primitives

/// JSON merge patch (RFC 7386).
package enum MergePatch {
    /// The document after the patch: members of objects are merged, null removes, anything else replaces.
    package static func apply(_ patch: JSONValue, to document: JSONValue) -> JSONValue {
        guard let changes = patch.object else { return patch }
        var members = document.members
        for (key, change) in changes {
            if change.isNull {
                members.removeValue(forKey: key)
            } else {
                members[key] = apply(change, to: members[key] ?? .null)
            }
        }
        return .object(members)
    }

    /// The patch that makes `new` of `old`; an empty object where they are equal.
    ///
    /// A null inside `new` cannot be expressed and is taken for an absent member.
    package static func difference(from old: JSONValue, to new: JSONValue) -> JSONValue {
        guard let before = old.object, let after = new.object else { return new }
        var changes = JSONObject()
        for (key, value) in after where before[key] != value && !value.isNull {
            if let previous = before[key], previous.object != nil, value.object != nil {
                changes[key] = difference(from: previous, to: value)
            } else {
                changes[key] = value
            }
        }
        for key in before.keys where after[key]?.isNull ?? true { changes[key] = .null }
        return .object(changes)
    }
}
