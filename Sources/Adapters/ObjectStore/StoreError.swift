package import KubeMachinery

/// Why the store could not do it.
package struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The file is damaged.
        case corrupt
        /// No room on the disk, or the file may not grow.
        case full
        /// Another process holds the file.
        case locked
        /// The file was written by a newer release.
        case newerSchema
        case failed
    }

    package var code: Code
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { code == .full || code == .locked }

    /// The same as the API answers it: 507 for a full disk, 500 for the rest.
    package var status: KubeStatus {
        switch code {
        case .full: KubeStatus(code: 507, reason: "InsufficientStorage", message: message)
        default: KubeStatus.internalError(message)
        }
    }
}
