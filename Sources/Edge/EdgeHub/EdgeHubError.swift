/// Why the edge has no certificate.
package struct EdgeHubError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// There is nothing to apply with.
        case noToken
        /// The cloud's certificate service said no.
        case refused
    }

    package var code: Code
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { true }
}
