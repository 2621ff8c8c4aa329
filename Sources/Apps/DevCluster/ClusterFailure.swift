/// Why a cluster on this machine could not be made, and what to do about it.
package struct ClusterFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable { case missingProgram, startFailed, stopped, timedOut, fileSystem, network }

    package var code: Code
    /// What went wrong, with what, and the next step.
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { code == .timedOut || code == .stopped }
}
