/// Why an embedded control plane cannot run.
package struct ControlPlaneError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable { case storage, bootstrap }

    package var code: Code
    /// What went wrong, with what, and the next step.
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { false }
}
