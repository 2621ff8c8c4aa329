package import Primitives

/// The part of kubectl's JSONPath that printer columns and subresource paths use.
///
/// Members (`.spec.name`, `['a.b']`, `.a\.b`), elements (`[0]`, `[-1]`, `[*]`) and filters by an equal text (`[?(@.type=="Ready")]`).
package struct JSONPath: Sendable, Hashable {
    private enum Step: Hashable {
        case member(String)
        case element(Int)
        case every
        case filter(path: [String], equals: String)
    }

    private let steps: [Step]

    /// Reads a path with or without `{}` around it; nil for anything this subset does not know.
    package init?(_ text: String) {
        var rest = text[...]
        if rest.hasPrefix("{"), rest.hasSuffix("}") { rest = rest.dropFirst().dropLast() }
        if rest.hasPrefix("$") { rest = rest.dropFirst() }
        var steps: [Step] = []
        while let first = rest.first {
            if first == "." {
                rest = rest.dropFirst()
                if rest.isEmpty { break }
                guard let name = Self.name(&rest) else { return nil }
                steps.append(name == "*" ? .every : .member(name))
            } else if first == "[" {
                guard let step = Self.bracket(&rest) else { return nil }
                steps.append(step)
            } else {
                guard steps.isEmpty, let name = Self.name(&rest) else { return nil }
                steps.append(.member(name))
            }
        }
        self.steps = steps
    }

    /// The values at the path, in order.
    package func values(in document: JSONValue) -> [JSONValue] {
        var values = [document]
        for step in steps {
            values = values.flatMap { value -> [JSONValue] in
                switch step {
                case .member(let name): return value.member(name).map { [$0] } ?? []
                case .element(let index):
                    let elements = value.elements
                    let place = index < 0 ? elements.count + index : index
                    return elements.indices.contains(place) ? [elements[place]] : []
                case .every: return value.array ?? Array(value.members.values)
                case .filter(let path, let text): return value.elements.filter { element in Self.text(path.reduce(element) { $0[$1] }) == text }
                }
            }
        }
        return values
    }

    private static func text(_ value: JSONValue) -> String { value.string ?? value.text() }

    private static func name(_ rest: inout Substring) -> String? {
        var name = ""
        while let character = rest.first {
            if character == "\\" {
                rest = rest.dropFirst()
                guard let escaped = rest.first else { return nil }
                name.append(escaped)
            } else if character == "." || character == "[" {
                break
            } else {
                name.append(character)
            }
            rest = rest.dropFirst()
        }
        return name.isEmpty ? nil : name
    }

    private static func bracket(_ rest: inout Substring) -> Step? {
        guard let end = closing(rest) else { return nil }
        let inside = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        if inside == "*" { return .every }
        if let index = Int(inside) { return .element(index) }
        if let name = quoted(inside) { return .member(name) }
        guard inside.hasPrefix("?("), inside.hasSuffix(")") else { return nil }
        let filter = inside.dropFirst(2).dropLast()
        var index = filter.startIndex
        while index < filter.endIndex, !filter[index...].hasPrefix("==") { index = filter.index(after: index) }
        guard index < filter.endIndex else { return nil }
        let left = trimmed(filter[..<index])
        let right = trimmed(filter[filter.index(index, offsetBy: 2)...])
        guard left.hasPrefix("@.") else { return nil }
        return .filter(path: left.dropFirst(2).split(separator: ".").map(String.init), equals: quoted(right) ?? String(right))
    }

    /// The bracket that closes the first one, outside of quotes.
    private static func closing(_ text: Substring) -> Substring.Index? {
        var quote: Character?
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "]" {
                return index
            }
            index = text.index(after: index)
        }
        return nil
    }

    private static func quoted(_ text: Substring) -> String? {
        guard text.count >= 2, let first = text.first, first == text.last, first == "'" || first == "\"" else { return nil }
        return String(text.dropFirst().dropLast())
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text = text.dropLast() }
        return text
    }
}
