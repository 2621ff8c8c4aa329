package import OrderedCollections

/// A JSON document that loses nothing: key order, unknown members and the digits of every number survive a round trip.
///
/// It is the one representation of objects in the whole house; typed views read and write it in place.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number, as the digits that were read.
    case decimal(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// The members of a JSON object, in the order they were read or added.
package typealias JSONObject = OrderedDictionary<String, JSONValue>

extension JSONValue {
    /// The member `key` of an object; `null` where there is none.
    ///
    /// Writing makes the value an object first where it is not one, so that a path of subscripts creates what it names.
    package subscript(key: String) -> JSONValue {
        get { member(key) ?? .null }
        set {
            if case .object(var members) = self {
                self = .null
                members[key] = newValue
                self = .object(members)
            } else {
                self = .object([key: newValue])
            }
        }
        _modify {
            var members: JSONObject
            if case .object(let existing) = self { members = existing } else { members = [:] }
            self = .null
            let wasThere = members[key] != nil
            var value = members[key] ?? .null
            if wasThere { members[key] = .null }
            yield &value
            if wasThere || !value.isNull { members[key] = value }
            self = .object(members)
        }
    }

    /// The element at `index` of an array; `null` where there is none. Writing outside the bounds does nothing.
    package subscript(index: Int) -> JSONValue {
        get {
            guard case .array(let elements) = self, elements.indices.contains(index) else { return .null }
            return elements[index]
        }
        set {
            guard case .array(var elements) = self, elements.indices.contains(index) else { return }
            self = .null
            elements[index] = newValue
            self = .array(elements)
        }
    }

    /// The member `key`, told apart from one that is `null`.
    package func member(_ key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// The value at a path of member names, `null` where it ends early.
    package func at(_ path: String...) -> JSONValue { path.reduce(self) { $0[$1] } }

    /// Removes the member `key` of an object and returns what it held.
    @discardableResult
    package mutating func removeMember(_ key: String) -> JSONValue? {
        guard case .object(var members) = self else { return nil }
        self = .null
        let removed = members.removeValue(forKey: key)
        self = .object(members)
        return removed
    }

    /// Sets the member `key`, or removes it where `value` is nil.
    package mutating func setMember(_ key: String, _ value: JSONValue?) {
        if let value { self[key] = value } else { removeMember(key) }
    }
}

extension JSONValue {
    package var isNull: Bool { if case .null = self { true } else { false } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// The number as a 64-bit integer; a decimal only where it is whole (`1e3`, `2.0`).
    package var int: Int64? {
        switch self {
        case .integer(let value): value
        case .decimal(let digits): Double(digits).flatMap { Int64(exactly: $0) }
        default: nil
        }
    }

    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .decimal(let digits): Double(digits)
        default: nil
        }
    }

    /// The elements of an array, none for anything else.
    package var elements: [JSONValue] { array ?? [] }

    /// The members of an object, none for anything else.
    package var members: JSONObject { object ?? [:] }

    /// The string elements of an array.
    package var strings: [String] { elements.compactMap(\.string) }

    /// The string members of an object, as labels and annotations are.
    package var stringMap: [String: String] {
        var map: [String: String] = [:]
        for (key, value) in members { if let text = value.string { map[key] = text } }
        return map
    }

    /// A string map as an object with sorted keys.
    package init(_ map: [String: String]) {
        self = .object(JSONObject(uniqueKeysWithValues: map.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }

    package init(_ strings: [String]) { self = .array(strings.map(JSONValue.string)) }
}

extension JSONValue: Hashable {
    /// Equal documents: the order of an object's members does not count, the digits of decimals do.
    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): return true
        case (.bool(let one), .bool(let other)): return one == other
        case (.integer(let one), .integer(let other)): return one == other
        case (.decimal(let one), .decimal(let other)): return one == other
        case (.string(let one), .string(let other)): return one == other
        case (.array(let one), .array(let other)): return one == other
        case (.object(let one), .object(let other)):
            guard one.count == other.count else { return false }
            for (key, value) in one where other[key] != value { return false }
            return true
        default: return false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .integer(let value): hasher.combine(value)
        case .decimal(let digits): hasher.combine(digits)
        case .string(let value): hasher.combine(value)
        case .array(let elements): hasher.combine(elements)
        case .object(let members):
            hasher.combine(members.count)
            var sum = 0
            for (key, value) in members {
                var inner = Hasher()
                inner.combine(key)
                inner.combine(value)
                sum ^= inner.finalize()
            }
            hasher.combine(sum)
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// `nil` inside a literal is `null`. Beware: `condition ? nil : JSONValue(x)` is a `JSONValue` too, not an optional that is empty.
    package init(nilLiteral: ()) { self = .null }

    /// A repeated key keeps its first place and its last value.
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements, uniquingKeysWith: { _, last in last }))
    }
}
