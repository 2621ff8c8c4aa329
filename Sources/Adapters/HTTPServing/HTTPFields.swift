/// Header fields in the order they came; names compare without regard to case.
package struct HTTPFields: Sendable, Hashable, ExpressibleByDictionaryLiteral, Sequence {
    package private(set) var entries: [Entry] = []

    /// One header line.
    package struct Entry: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    package init(_ pairs: [(String, String)] = []) { entries = pairs.map { Entry(name: $0.0, value: $0.1) } }

    package init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }

    /// The value of the first line with this name; writing replaces every line of the name, nil removes them.
    package subscript(name: String) -> String? {
        get { entries.first { Self.isSame($0.name, name) }?.value }
        set {
            entries.removeAll { Self.isSame($0.name, name) }
            if let newValue { entries.append(Entry(name: name, value: newValue)) }
        }
    }

    /// The values of all lines with this name, in order.
    package func values(_ name: String) -> [String] { entries.filter { Self.isSame($0.name, name) }.map(\.value) }

    /// The comma-separated elements of all lines with this name, trimmed.
    package func list(_ name: String) -> [String] {
        values(name).flatMap { $0.split(separator: ",") }.map { element in
            String(element.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
        }
    }

    /// Whether a line of the name has the element, as `Connection: keep-alive, Upgrade` has `upgrade`.
    package func contains(_ name: String, element: String) -> Bool { list(name).contains { Self.isSame($0, element) } }

    /// Adds a line and keeps those of the same name.
    package mutating func append(_ name: String, _ value: String) { entries.append(Entry(name: name, value: value)) }

    package func makeIterator() -> IndexingIterator<[Entry]> { entries.makeIterator() }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        one.utf8.count == other.utf8.count && zip(one.utf8, other.utf8).allSatisfy { lowered($0) == lowered($1) }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
}
