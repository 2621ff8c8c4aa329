package import Primitives

/// One message of the cloud-edge line: header, route and content (`spec/01 §4.1`).
///
/// Members that are not known here survive in `rest`.
package struct EdgeMessage: Sendable, Hashable {
    package var header: Header
    package var route: Route
    /// Always on the wire, `null` where there is nothing to say.
    package var content: JSONValue
    /// Unknown members of the message itself.
    package var rest: JSONObject = [:]

    package struct Header: Sendable, Hashable {
        package var id: String
        /// The id of the request that this answers.
        package var parentID: String?
        /// Milliseconds since 1970; never used for order.
        package var timestamp: Int64
        /// Of the object in the content; cloud to edge only.
        package var resourceVersion: String?
        package var rest: JSONObject = [:]

        package init(id: String, parentID: String? = nil, timestamp: Int64, resourceVersion: String? = nil) {
            self.id = id
            self.parentID = parentID
            self.timestamp = timestamp
            self.resourceVersion = resourceVersion
        }
    }

    /// Where a message comes from and what it is about. Empty parts are left out on the wire.
    package struct Route: Sendable, Hashable {
        package var source: String
        package var group: String
        package var operation: String
        package var resource: String
        package var rest: JSONObject = [:]

        package init(source: String, group: String, operation: String, resource: String) {
            self.source = source
            self.group = group
            self.operation = operation
            self.resource = resource
        }
    }

    package init(header: Header, route: Route, content: JSONValue) {
        self.header = header
        self.route = route
        self.content = content
    }

    /// A fresh message from this machine, now.
    package init(
        source: String, group: String, operation: String, resource: String, content: JSONValue, parentID: String? = nil,
        resourceVersion: String? = nil, id: String = UniqueID.next(), now: Timestamp = SystemClock().now().wall
    ) {
        self.init(
            header: Header(id: id, parentID: parentID, timestamp: now.milliseconds, resourceVersion: resourceVersion),
            route: Route(source: source, group: group, operation: operation, resource: resource), content: content)
    }
}

/// Operation words of the wire (`spec/01 §4.2`).
package enum EdgeOperation {
    package static let insert = "insert"
    package static let update = "update"
    package static let delete = "delete"
    package static let query = "query"
    package static let patch = "patch"
    package static let response = "response"
    package static let error = "error"
    package static let keepalive = "keepalive"
    package static let upload = "upload"
}

extension EdgeMessage {
    /// Whether the sender of a report waits for an answer, though none is due: `header.sync`, which Go peers never set and never read.
    package var wantsAnswer: Bool {
        get { header.rest["sync"] == true }
        set { if newValue { header.rest["sync"] = true } else { header.rest.removeValue(forKey: "sync") } }
    }

    /// The acknowledgement of this message: `response`, parent set, content `OK` (`spec/01 §5.4`).
    package func acknowledgement(id: String = UniqueID.next(), now: Timestamp = SystemClock().now().wall) -> EdgeMessage {
        response("OK", id: id, now: now)
    }

    /// The answer to this message (`spec/01 §4.3`): source, group and resource are copied.
    package func response(_ content: JSONValue, id: String = UniqueID.next(), now: Timestamp = SystemClock().now().wall) -> EdgeMessage {
        EdgeMessage(
            source: route.source, group: route.group, operation: EdgeOperation.response, resource: route.resource, content: content,
            parentID: header.id, id: id, now: now)
    }
}
