/// One thing that is wrong with a configuration.
package struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
    /// The path of the key, `modules.cloudHub.nodeLimit`.
    package let field: String
    package let message: String

    package init(field: String, message: String) {
        self.field = field
        self.message = message
    }

    package var description: String { "\(field): \(message)" }

    /// A value that a rule does not allow, in Kubernetes' words.
    package static func invalid(_ field: String, _ value: String, _ rule: String) -> Self {
        Self(field: field, message: "Invalid value: \(value): \(rule)")
    }

    /// A value that must be there and is not.
    package static func required(_ field: String, _ rule: String) -> Self { Self(field: field, message: "Required value: \(rule)") }
}

/// Everything that is wrong with a configuration, at once.
package struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package init(problems: [ConfigurationProblem]) { self.problems = problems }

    package var description: String { "[\n" + problems.map { "  \($0)\n" }.joined() + "]" }
    package var isRetryable: Bool { false }
}
