package import Primitives

/// Typed reading of decoded values: a key that is not set reads as its type's zero, as it does in Go.
package struct ConfigurationSection: Sendable {
    /// The values of this part of a decoded configuration.
    package let values: JSONValue

    package init(_ values: JSONValue) { self.values = values }

    /// The part under a key.
    package subscript(_ key: String) -> ConfigurationSection { ConfigurationSection(values[key]) }

    package func bool(_ key: String) -> Bool { values[key].bool ?? false }
    package func int(_ key: String) -> Int { values[key].int.flatMap(Int.init(exactly:)) ?? 0 }
    package func double(_ key: String) -> Double { values[key].double ?? 0 }
    package func text(_ key: String) -> String { values[key].string ?? "" }
    package func texts(_ key: String) -> [String] { values[key].strings }
    package func textMap(_ key: String) -> [String: String] { values[key].stringMap }
    /// A duration in Go's form.
    package func duration(_ key: String) -> Duration { values[key].string.flatMap(GoDuration.parse) ?? .zero }
    /// A plain number of seconds.
    package func seconds(_ key: String) -> Duration { .seconds(int(key)) }
    package func boolMap(_ key: String) -> [String: Bool] {
        var map: [String: Bool] = [:]
        for (key, value) in values[key].members { map[key] = value.bool }
        return map
    }
}
