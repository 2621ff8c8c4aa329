package import Primitives

/// A column of a server-side table.
package struct TableColumn: Sendable, Hashable {
    package var name: String
    /// `string`, `integer`, `boolean`, `date`, `number`.
    package var type: String
    /// `name` for the column that identifies the row.
    package var format: String
    package var details: String
    /// 0 is always shown, 1 only with `-o wide`.
    package var priority: Int

    package init(_ name: String, type: String = "string", format: String = "", details: String = "", priority: Int = 0) {
        self.name = name
        self.type = type
        self.format = format
        self.details = details
        self.priority = priority
    }

    var json: JSONValue {
        [
            "name": .string(name), "type": .string(type), "format": .string(format), "description": .string(details),
            "priority": .integer(Int64(priority)),
        ]
    }
}

/// How the objects of one kind are shown as rows.
package struct TableLayout: Sendable {
    package var columns: [TableColumn]
    /// The cells of an object, one for each column.
    package var cells: @Sendable (KubeObject, Timestamp) -> [JSONValue]

    package init(_ columns: [TableColumn], cells: @escaping @Sendable (KubeObject, Timestamp) -> [JSONValue]) {
        self.columns = columns
        self.cells = cells
    }

    /// Name and age, for kinds without a layout of their own.
    package static let plain = TableLayout([
        TableColumn("Name", format: "name", details: "The name, unique within its namespace."),
        TableColumn("Created At", type: "date", details: "When the server stored the object."),
    ]) { object, _ in
        [.string(object.name), object.metadata["creationTimestamp"]]
    }
}

/// Server-side tables, `meta.k8s.io/v1 Table`.
package enum KubeTable {
    /// What a row carries of its object.
    package enum IncludedObject: String, Sendable {
        case none = "None"
        case metadata = "Metadata"
        case object = "Object"
    }

    /// The table of some objects. `metadata` is that of the list; a table without `columns` (a later one of a watch) leaves them out.
    package static func json(
        _ objects: [KubeObject], layout: TableLayout, now: Timestamp, include: IncludedObject = .metadata, metadata: JSONValue = [:],
        withColumns: Bool = true
    ) -> JSONValue {
        let rows = objects.map { object -> JSONValue in
            var row: JSONValue = ["cells": .array(layout.cells(object, now))]
            switch include {
            case .none: break
            case .metadata: row["object"] = PartialMetadata.json(object)
            case .object: row["object"] = object.json
            }
            return row
        }
        return [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": withColumns ? .array(layout.columns.map(\.json)) : [], "rows": .array(rows),
        ]
    }
}

/// Objects reduced to their metadata, `meta.k8s.io/v1 PartialObjectMetadata`.
package enum PartialMetadata {
    package static func json(_ object: KubeObject) -> JSONValue {
        ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.metadata]
    }

    /// A `PartialObjectMetadataList`; `metadata` is that of the list.
    package static func list(_ objects: [KubeObject], metadata: JSONValue) -> JSONValue {
        [
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "items": .array(objects.map(json)),
        ]
    }
}
