package import Primitives

extension StrategicMergePatch {
    /// The two-way patch that makes `new` of `old`; an empty object where they are equal.
    ///
    /// Merged lists whose elements differ come with `$setElementOrder/<field>`, as kubectl and the kubelet write them. Lists at the paths
    /// `replacing` (`status.addresses`) are sent whole behind a `{"$patch":"replace"}` element.
    package static func difference(
        from old: JSONValue, to new: JSONValue, schema: some MergeSchema, replacing: Set<String> = []
    ) -> JSONValue {
        .object(difference(old.members, new.members, schema, replacing, path: ""))
    }

    private static func difference(
        _ old: JSONObject, _ new: JSONObject, _ schema: some MergeSchema, _ replacing: Set<String>, path: String
    ) -> JSONObject {
        var patch = JSONObject()
        for (key, value) in new {
            guard let before = old[key], !before.isNull else {
                if !value.isNull { patch[key] = value }
                continue
            }
            guard before != value else { continue }
            let place = path.isEmpty ? key : "\(path).\(key)"
            let inner = schema.member(key)
            switch (before, value) {
            case (.object(let one), .object(let other)):
                let changes = difference(one, other, inner, replacing, path: place)
                if !changes.isEmpty { patch[key] = .object(changes) }
            case (.array(let one), .array(let other)):
                list(one, other, inner, replacing, path: place, key: key, into: &patch)
            case (_, .null): patch[key] = .null
            default: patch[key] = value
            }
        }
        for (key, value) in old where new[key] == nil && !value.isNull { patch[key] = .null }
        return patch
    }

    private static func list(
        _ old: [JSONValue], _ new: [JSONValue], _ schema: some MergeSchema, _ replacing: Set<String>, path: String, key field: String,
        into patch: inout JSONObject
    ) {
        if replacing.contains(path) {
            patch[field] = .array([["$patch": "replace"]] + new)
            return
        }
        guard case .merge(let key) = schema.listRule else {
            patch[field] = .array(new)
            return
        }
        if key.isEmpty {
            let gone = old.filter { !new.contains($0) }
            let added = new.filter { !old.contains($0) }
            if !gone.isEmpty { patch["$deleteFromPrimitiveList/\(field)"] = .array(gone) }
            patch["$setElementOrder/\(field)"] = .array(new)
            if !added.isEmpty { patch[field] = .array(added) }
            return
        }
        var changes: [JSONValue] = []
        for element in new {
            guard let before = old.first(where: { $0[key] == element[key] }) else {
                changes.append(element)
                continue
            }
            var inner = difference(before.members, element.members, schema, replacing, path: path)
            guard !inner.isEmpty else { continue }
            inner[key] = element[key]
            changes.append(.object(inner))
        }
        for element in old where !new.contains(where: { $0[key] == element[key] }) {
            changes.append(["$patch": "delete", .init(key): element[key]])
        }
        patch["$setElementOrder/\(field)"] = .array(new.map { .object([key: $0[key]]) })
        if !changes.isEmpty { patch[field] = .array(changes) }
    }
}
