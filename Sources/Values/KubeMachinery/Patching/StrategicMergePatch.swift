package import Primitives

/// Kubernetes' strategic merge patch: a merge patch that merges lists by key and has directives.
///
/// Directives: `$patch` (`replace`, `delete`, `merge`) in an object or a list element, `$retainKeys`,
/// `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`.
package enum StrategicMergePatch {
    /// The document after the patch. Throws `BadRequest` for a malformed directive and for elements without their merge key.
    package static func apply(_ patch: JSONValue, to document: JSONValue, schema: some MergeSchema) throws(KubeStatus) -> JSONValue {
        guard let changes = patch.object else { throw .badRequest("a strategic merge patch is a JSON object") }
        return .object(try merge(changes, into: document.members, schema))
    }

    private static let setOrder = "$setElementOrder/"
    private static let deleteFromList = "$deleteFromPrimitiveList/"
    static let directive = "$patch"
    static let retainKeys = "$retainKeys"

    private static func merge(_ patch: JSONObject, into original: JSONObject, _ schema: some MergeSchema) throws(KubeStatus) -> JSONObject {
        var patch = patch
        var result = original
        if let directive = patch.removeValue(forKey: directive) {
            switch directive.string {
            case "replace": return try stripped(.object(patch), schema).members
            case "delete": return [:]
            case "merge": break
            default: throw .badRequest("Unknown patch type: \(directive.string ?? directive.text())")
            }
        }
        if let kept = patch.removeValue(forKey: retainKeys) {
            let names = Set(kept.strings)
            for key in patch.keys where !key.hasPrefix("$") && !(patch[key]?.isNull ?? true) && !names.contains(key) {
                throw .badRequest("bad patch format for \(retainKeys): \(key) is not in its list")
            }
            result.removeAll { !names.contains($0.key) }
        }
        for (key, removed) in patch where key.hasPrefix(deleteFromList) {
            let field = String(key.dropFirst(deleteFromList.count))
            guard let gone = removed.array else { throw .badRequest("bad patch format for \(key): a list is needed") }
            if let elements = result[field]?.array { result[field] = .array(elements.filter { !gone.contains($0) }) }
        }
        for (key, change) in patch where !key.hasPrefix("$") {
            if change.isNull {
                result.removeValue(forKey: key)
            } else {
                result[key] = try merged(change, into: original[key] == nil ? nil : result[key], schema.member(key), field: key)
            }
        }
        for (key, order) in patch where key.hasPrefix(setOrder) {
            let field = String(key.dropFirst(setOrder.count))
            guard let order = order.array else { throw .badRequest("bad patch format for \(key): a list is needed") }
            guard let elements = result[field]?.array else { continue }
            result[field] = .array(ListOrder(schema.member(field).listRule).sorted(elements, by: order, server: original[field]?.elements ?? []))
        }
        return result
    }

    private static func merged(
        _ change: JSONValue, into original: JSONValue?, _ schema: some MergeSchema, field: String
    ) throws(KubeStatus) -> JSONValue {
        switch (change, original) {
        case (.object(let changes), .object(let members)):
            return .object(try merge(changes, into: members, schema))
        case (.array(let changes), .array(let elements)):
            switch schema.listRule {
            case .replace: return try stripped(change, schema)
            case .merge(let key): return .array(try mergeList(changes, into: elements, key: key, schema, field: field))
            }
        case (.array(let changes), _):
            guard case .merge(let key) = schema.listRule else { return try stripped(change, schema) }
            return .array(try mergeList(changes, into: [], key: key, schema, field: field))
        default: return try stripped(change, schema)
        }
    }

    private static func mergeList(
        _ changes: [JSONValue], into original: [JSONValue], key: String, _ schema: some MergeSchema, field: String
    ) throws(KubeStatus) -> [JSONValue] {
        if key.isEmpty {
            var result = original
            for element in changes where !result.contains(element) { result.append(element) }
            return result
        }
        if changes.contains(where: { $0[directive].string == "replace" }) {
            var kept: [JSONValue] = []
            for element in changes where element.member(directive) == nil { kept.append(try stripped(element, schema)) }
            return kept
        }
        var result = original
        for change in changes {
            guard var members = change.object, let identity = members[key] else {
                throw .badRequest("map: \(change) does not contain declared merge key: \(key) (list \"\(field)\")")
            }
            let place = result.firstIndex { $0[key] == identity }
            if members[directive]?.string == "delete" {
                result.removeAll { $0[key] == identity }
                continue
            }
            if let found = members[directive]?.string, found != "merge" { throw .badRequest("Unknown patch type: \(found)") }
            members.removeValue(forKey: directive)
            if let place {
                result[place] = .object(try merge(members, into: result[place].members, schema))
            } else {
                result.append(try stripped(.object(members), schema))
            }
        }
        return result
    }

    /// What a patch value adds where nothing was: itself without directives and nulls.
    private static func stripped(_ value: JSONValue, _ schema: some MergeSchema) throws(KubeStatus) -> JSONValue {
        switch value {
        case .object(let members): return .object(try merge(members, into: [:], schema))
        case .array(let elements):
            var result: [JSONValue] = []
            for element in elements {
                if let kind = element[directive].string, element.object != nil {
                    if kind == "delete" || kind == "replace" { continue }
                }
                result.append(try stripped(element, schema))
            }
            return .array(result)
        default: return value
        }
    }
}

/// Puts the elements of a merged list into the order that a patch asks for.
struct ListOrder {
    private let key: String

    init(_ rule: MergeRule) {
        if case .merge(let key) = rule { self.key = key } else { key = "" }
    }

    private func identity(_ element: JSONValue) -> JSONValue { key.isEmpty ? element : element[key] }

    /// Named elements stand in the order of the patch; the others keep their place among them as the server had it.
    func sorted(_ elements: [JSONValue], by order: [JSONValue], server: [JSONValue]) -> [JSONValue] {
        var rank: [JSONValue: Int] = [:]
        for (index, element) in order.enumerated() { rank[identity(element)] = index }
        var serverRank: [JSONValue: Int] = [:]
        for (index, element) in server.enumerated() { serverRank[identity(element)] = index }
        let named = elements.filter { rank[identity($0)] != nil }
            .sorted { (rank[identity($0)] ?? 0) < (rank[identity($1)] ?? 0) }
        let others = elements.filter { rank[identity($0)] == nil }
            .sorted { (serverRank[identity($0)] ?? .max) < (serverRank[identity($1)] ?? .max) }
        var result: [JSONValue] = []
        var left = named[...]
        var right = others[...]
        while let one = left.first, let other = right.first {
            if let mine = serverRank[identity(one)], let theirs = serverRank[identity(other)], theirs < mine {
                result.append(right.removeFirst())
            } else {
                result.append(left.removeFirst())
            }
        }
        return result + left + right
    }
}
