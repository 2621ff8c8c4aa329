/// A value that never shows itself in a log, a description or an error.
package struct Redacted<Value: Sendable>: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The value itself; the name says that the reader is responsible for it.
    package let exposed: Value

    package init(_ value: Value) { exposed = value }

    package var description: String { "<redacted>" }
    package var debugDescription: String { "<redacted>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
