/// Why a server could not start, a request was refused, or a connection ended.
package struct HTTPServingError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case addressInUse, addressUnavailable, invalidCertificate
        case badRequest, bodyTooLarge, headerTooLarge, timedOut
        case messageTooLarge, protocolViolation, connectionClosed
    }

    package var code: Code
    /// What went wrong, with what, and the next step where there is one.
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// Whether the same call may succeed later without a change.
    package var isRetryable: Bool {
        switch code {
        case .addressInUse, .timedOut, .connectionClosed: true
        default: false
        }
    }

    static func tookNothing(for time: Duration) -> HTTPServingError {
        HTTPServingError(code: .timedOut, message: "the peer took no bytes for \(time)")
    }

    /// The answer to a request that failed with this error.
    package var response: HTTPResponse {
        let status =
            switch code {
            case .badRequest, .protocolViolation: 400
            case .bodyTooLarge, .messageTooLarge: 413
            case .headerTooLarge: 431
            case .timedOut: 408
            default: 500
            }
        return .text(status, message)
    }
}
