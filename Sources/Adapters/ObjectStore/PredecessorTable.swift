package import KubeMachinery

/// A table by which the file of another program is known, whose rows become objects of this store.
///
/// The other program may have run at this path before or in between; its file is kept beside under a name of its own.
package struct PredecessorTable: Sendable {
    /// `meta`
    package var name: String
    package var columns: [String]
    /// What the name of the file that is kept ends with, before the time.
    package var suffix: String
    /// The object of a row, its columns as text; nil for a row that is of no use here.
    package var translate: @Sendable ([String]) -> (resource: GroupResource, object: KubeObject)?

    package init(
        name: String, columns: [String], suffix: String,
        translate: @escaping @Sendable ([String]) -> (resource: GroupResource, object: KubeObject)?
    ) {
        self.name = name
        self.columns = columns
        self.suffix = suffix
        self.translate = translate
    }
}
