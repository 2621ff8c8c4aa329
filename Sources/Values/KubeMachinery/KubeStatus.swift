package import Primitives

/// A Kubernetes `Status` of failure: what every verb of the API throws, passed through whole.
package struct KubeStatus: Error, Sendable, Hashable, CustomStringConvertible {
    /// The HTTP status code.
    package var code: Int
    /// `NotFound`, `Conflict`, …: what callers match on.
    package var reason: String
    package var message: String
    /// `details` of the Status (name, group, kind, causes, retryAfterSeconds); null where there are none.
    package var details: JSONValue

    package init(code: Int, reason: String, message: String, details: JSONValue = .null) {
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
    }

    package var description: String { message.isEmpty ? "\(reason) (\(code))" : message }
    package var isNotFound: Bool { reason == "NotFound" }
    package var isConflict: Bool { reason == "Conflict" }
    package var isAlreadyExists: Bool { reason == "AlreadyExists" }
    package var isGone: Bool { code == 410 }
    package var isForbidden: Bool { reason == "Forbidden" }
    /// Whether something was not created because its namespace is being deleted.
    package var isNamespaceTerminating: Bool { isForbidden && details["causes"].elements.contains { $0["reason"] == "NamespaceTerminating" } }
    /// Whether the same request may succeed later without a change.
    package var isRetryable: Bool { code == 429 || code >= 500 }
}

extension KubeStatus {
    /// The `Status` object as it stands in an HTTP body or in `ErrStatus`.
    package var json: JSONValue {
        var value: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
            "reason": .string(reason),
        ]
        if !details.isNull { value["details"] = details }
        value["code"] = .integer(Int64(code))
        return value
    }

    /// Reads a `Status`; nil where the value is none.
    package init?(json: JSONValue) {
        guard json["status"].string == "Failure" || json["code"].int != nil, json["status"].object == nil else { return nil }
        self.init(
            code: json["code"].int.flatMap(Int.init(exactly:)) ?? 500, reason: json["reason"].string ?? "",
            message: json["message"].string ?? "", details: json["details"])
    }

    private static func details(_ resource: GroupResource, _ name: String) -> JSONValue {
        var details: JSONValue = ["name": .string(name)]
        if !resource.group.isEmpty { details["group"] = .string(resource.group) }
        details["kind"] = .string(resource.resource)
        return details
    }

    package static func notFound(_ resource: GroupResource, _ name: String) -> KubeStatus {
        KubeStatus(code: 404, reason: "NotFound", message: "\(resource) \"\(name)\" not found", details: details(resource, name))
    }

    package static func alreadyExists(_ resource: GroupResource, _ name: String) -> KubeStatus {
        KubeStatus(code: 409, reason: "AlreadyExists", message: "\(resource) \"\(name)\" already exists", details: details(resource, name))
    }

    package static func conflict(_ resource: GroupResource, _ name: String, _ cause: String) -> KubeStatus {
        KubeStatus(
            code: 409, reason: "Conflict", message: "Operation cannot be fulfilled on \(resource) \"\(name)\": \(cause)",
            details: details(resource, name))
    }

    package static func badRequest(_ message: String) -> KubeStatus { KubeStatus(code: 400, reason: "BadRequest", message: message) }

    package static func gone(_ message: String) -> KubeStatus { KubeStatus(code: 410, reason: "Expired", message: message) }

    package static func internalError(_ cause: String) -> KubeStatus {
        KubeStatus(
            code: 500, reason: "InternalError", message: "Internal error occurred: \(cause)", details: ["causes": [["message": .string(cause)]]])
    }

    package static func serviceUnavailable(_ message: String) -> KubeStatus {
        KubeStatus(code: 503, reason: "ServiceUnavailable", message: message)
    }
}
