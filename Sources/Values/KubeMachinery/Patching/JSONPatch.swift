package import Primitives

/// JSON patch (RFC 6902): a list of operations that all succeed or change nothing.
package struct JSONPatch: Sendable {
    private enum Step {
        case add(JSONPointer, JSONValue)
        case remove(JSONPointer)
        case replace(JSONPointer, JSONValue)
        case move(from: JSONPointer, JSONPointer)
        case copy(from: JSONPointer, JSONPointer)
        case test(JSONPointer, JSONValue)
    }

    /// The operations that one patch may have, as in Kubernetes.
    package static let operationLimit = 10_000

    private let steps: [Step]

    /// Reads the array of operations. Throws `BadRequest` for one that cannot be read, 413 for too many.
    package init(json: JSONValue) throws(KubeStatus) {
        guard let operations = json.array else { throw .badRequest("error decoding patch: a JSON patch is an array of operations") }
        guard operations.count <= Self.operationLimit else {
            throw KubeStatus(
                code: 413, reason: "RequestEntityTooLarge",
                message: "Request entity too large: The allowed maximum operations in a JSON patch is \(Self.operationLimit), got \(operations.count)"
            )
        }
        var steps: [Step] = []
        for operation in operations { steps.append(try Self.step(operation)) }
        self.steps = steps
    }

    /// The document after the patch. Throws 422 where a path does not exist or a test fails.
    package func apply(to document: JSONValue) throws(KubeStatus) -> JSONValue {
        var result = document
        for step in steps {
            switch step {
            case .add(let path, let value): try path.add(value, to: &result)
            case .remove(let path): _ = try path.remove(from: &result)
            case .replace(let path, let value): try path.replace(with: value, in: &result)
            case .move(let source, let path):
                let value = try source.remove(from: &result)
                try path.add(value, to: &result)
            case .copy(let source, let path):
                guard let value = source.value(in: result) else { throw source.missing }
                try path.add(value, to: &result)
            case .test(let path, let value):
                guard (path.value(in: result) ?? .null) == value else {
                    throw .unprocessable("testing value \(path.text) failed: test failed")
                }
            }
        }
        return result
    }

    private static func step(_ operation: JSONValue) throws(KubeStatus) -> Step {
        guard let name = operation["op"].string, let path = operation["path"].string.flatMap(JSONPointer.init(_:)) else {
            throw .badRequest("error decoding patch: an operation needs \"op\" and \"path\": \(operation)")
        }
        switch name {
        case "remove": return .remove(path)
        case "add", "replace", "test":
            guard let value = operation.member("value") else {
                throw .badRequest("error decoding patch: operation \"\(name)\" of \"\(path.text)\" has no \"value\"")
            }
            return name == "add" ? .add(path, value) : name == "replace" ? .replace(path, value) : .test(path, value)
        case "move", "copy":
            guard let source = operation["from"].string.flatMap(JSONPointer.init(_:)) else {
                throw .badRequest("error decoding patch: operation \"\(name)\" of \"\(path.text)\" has no \"from\"")
            }
            return name == "move" ? .move(from: source, path) : .copy(from: source, path)
        default: throw .badRequest("error decoding patch: unexpected operation \"\(name)\"")
        }
    }
}

/// A place in a document (RFC 6901).
private struct JSONPointer {
    let text: String
    let tokens: [String]

    init?(_ text: String) {
        self.text = text
        guard !text.isEmpty else {
            tokens = []
            return
        }
        guard text.hasPrefix("/") else { return nil }
        tokens = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(Self.unescaped)
    }

    private static func unescaped(_ token: Substring) -> String {
        var result = ""
        var isEscaped = false
        for character in token {
            if isEscaped {
                result += character == "0" ? "~" : character == "1" ? "/" : "~\(character)"
                isEscaped = false
            } else if character == "~" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return isEscaped ? result + "~" : result
    }

    var missing: KubeStatus { .unprocessable("the path \(text) does not exist") }

    func value(in document: JSONValue) -> JSONValue? {
        var value = document
        for token in tokens {
            switch value {
            case .object(let members):
                guard let next = members[token] else { return nil }
                value = next
            case .array(let elements):
                guard let index = Self.index(token), elements.indices.contains(index) else { return nil }
                value = elements[index]
            default: return nil
            }
        }
        return value
    }

    func add(_ new: JSONValue, to document: inout JSONValue) throws(KubeStatus) {
        try change(&document, tokens[...]) { (place: inout JSONValue, token: String?) -> JSONValue? in
            guard let token else {
                place = new
                return .null
            }
            switch place {
            case .object:
                place[token] = new
                return .null
            case .array(var elements):
                let target = token == "-" ? elements.count : Self.index(token)
                guard let target, target <= elements.count else { return nil }
                place = .null
                elements.insert(new, at: target)
                place = .array(elements)
                return .null
            default: return nil
            }
        }
    }

    func replace(with new: JSONValue, in document: inout JSONValue) throws(KubeStatus) {
        guard value(in: document) != nil else { throw missing }
        try change(&document, tokens[...]) { (place: inout JSONValue, token: String?) -> JSONValue? in
            guard let token else {
                place = new
                return .null
            }
            if place.array != nil, let index = Self.index(token) { place[index] = new } else { place[token] = new }
            return .null
        }
    }

    func remove(from document: inout JSONValue) throws(KubeStatus) -> JSONValue {
        try change(&document, tokens[...]) { (place: inout JSONValue, token: String?) -> JSONValue? in
            guard let token else { return nil }
            switch place {
            case .object: return place.removeMember(token)
            case .array(var elements):
                guard let index = Self.index(token), elements.indices.contains(index) else { return nil }
                place = .null
                let removed = elements.remove(at: index)
                place = .array(elements)
                return removed
            default: return nil
            }
        }
    }

    /// Calls `edit` with the container of the last token (or the document itself and no token).
    @discardableResult
    private func change(
        _ place: inout JSONValue, _ path: ArraySlice<String>, _ edit: (inout JSONValue, String?) -> JSONValue?
    ) throws(KubeStatus) -> JSONValue {
        guard path.count > 1, let token = path.first else {
            guard let result = edit(&place, path.first) else { throw missing }
            return result
        }
        switch place {
        case .object(var members):
            guard var inner = members[token] else { throw missing }
            let result = try change(&inner, path.dropFirst(), edit)
            members[token] = inner
            place = .object(members)
            return result
        case .array(var elements):
            guard let index = Self.index(token), elements.indices.contains(index) else { throw missing }
            let result = try change(&elements[index], path.dropFirst(), edit)
            place = .array(elements)
            return result
        default: throw missing
        }
    }

    private static func index(_ token: String) -> Int? {
        guard token == "0" || (!token.hasPrefix("0") && token.utf8.allSatisfy { (48...57).contains($0) }) else { return nil }
        return Int(token)
    }
}

extension KubeStatus {
    /// 422 for a patch that is well-formed and does not fit the object.
    package static func unprocessable(_ cause: String) -> KubeStatus {
        KubeStatus(
            code: 422, reason: "Invalid", message: "the server rejected our request due to an error in our request",
            details: ["causes": [["message": .string(cause)]]])
    }
}
