import KubeMachinery
import Primitives

/// Words that several tables use.
enum TableText {
    static let none = "<none>"
    static let nameColumn = TableColumn("Name", format: "name", details: "The name, unique within its namespace.")
    static let ageColumn = TableColumn("Age", details: "Time since the object was created.")

    static func age(_ object: KubeObject, _ now: Timestamp) -> JSONValue { .string(AgeText.since(object.creationTimestamp, now: now)) }
    static func joined(_ parts: [String]) -> String { parts.isEmpty ? none : parts.joined(separator: ",") }
    static func text(_ value: JSONValue) -> String { value.string.flatMap { $0.isEmpty ? nil : $0 } ?? none }
    static func number(_ value: JSONValue) -> JSONValue { .integer(value.int ?? 0) }

    static let containerColumns = [
        TableColumn("Containers", details: "Names of the containers in the template.", priority: 1),
        TableColumn("Images", details: "Images of the containers in the template.", priority: 1),
        TableColumn("Selector", details: "Labels by which pods are found.", priority: 1),
    ]

    static func containerCells(_ object: KubeObject) -> [JSONValue] {
        let containers = object.spec["template"]["spec"]["containers"].elements
        let selector = (try? LabelSelector(json: object.spec["selector"])).map { $0.isEverything ? none : $0.description } ?? none
        return [
            .string(containers.compactMap { $0["name"].string }.joined(separator: ",")),
            .string(containers.compactMap { $0["image"].string }.joined(separator: ",")), .string(selector),
        ]
    }

    /// `RWO,ROX`.
    static func accessModes(_ modes: JSONValue) -> String {
        let known = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")]
        return known.filter { modes.strings.contains($0.0) }.map(\.1).joined(separator: ",")
    }
}
