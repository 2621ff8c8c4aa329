package import KubeMachinery

/// The types of the built-in kinds.
package enum BuiltInSchemas {
    /// The whole table, read when it is first asked for (about 1,400 fields; the edge never asks).
    package static let table = SchemaTable(SchemaText.all)
}

extension ResourceDefinition {
    /// Where a strategic merge patch of such an object begins; nil for kinds without one (custom resources).
    package var mergeSchema: SchemaNode? { structuralSchema == nil ? BuiltInSchemas.table.node(kind) : nil }
}
