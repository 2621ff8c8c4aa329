/// Why the kubelet could not do something to this machine.
package struct EdgedFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable {
        case fileSystem, unsafePath, hook, volume, network
        /// A request over TLS was answered without.
        case plainAnswer
        /// An answer began and broke off.
        case unreadableAnswer
    }

    package var code: Code
    /// What went wrong, with what, and the next step.
    package var message: String
    package var isRetryable: Bool

    package init(code: Code, message: String, isRetryable: Bool = true) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
    }

    package var description: String { message }
}
