/// The fields of the built-in kinds, in the form that `SchemaTable` reads.
enum SchemaText {
    static let all = [meta, core1, core2, core3, groups1, groups2]
}
