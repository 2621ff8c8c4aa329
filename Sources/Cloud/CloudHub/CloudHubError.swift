/// Why the cloud's end of the line cannot serve.
package struct CloudHubError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// One file of a pair is missing, or a file holds something else than its name says.
        case certificateFiles
        /// A secret of the namespace `kubeedge` holds something else than its name says.
        case certificateSecret
    }

    package var code: Code
    /// What went wrong, with what, and the next step.
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { code == .certificateSecret }
}
