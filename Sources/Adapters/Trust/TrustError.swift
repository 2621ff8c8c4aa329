/// Why a certificate, key or token was refused or could not be made.
package struct TrustError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case malformedCertificate, malformedKey, malformedRequest, malformedToken
        case badSignature, wrongAuthority, wrongSubject, wrongUsage
        case expired, notYetValid, mismatchedPair, missingFile, storage
    }

    package var code: Code
    /// What went wrong, with what, and the next step where there is one.
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    /// Only a full or failing disk may get better by itself.
    package var isRetryable: Bool { code == .storage }
}
