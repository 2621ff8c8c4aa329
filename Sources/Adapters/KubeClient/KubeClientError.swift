/// Why a cluster cannot be reached with what was given: a kubeconfig, files, an environment.
///
/// Answers of the API and failures of a connection are `KubeStatus`, never this.
package struct KubeClientError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A file is missing or cannot be read.
        case file
        /// A kubeconfig says something wrong or incomplete.
        case kubeconfig
        /// Something that a kubeconfig may ask for and that is not built.
        case unsupported
        /// The process does not run in a pod.
        case environment
        /// A certificate or key is not what TLS can use.
        case certificate
    }

    package let code: Code
    /// What went wrong, with what, and what to do about it.
    package let message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { false }
}
