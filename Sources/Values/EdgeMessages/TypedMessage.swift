package import Primitives

/// A message whose route and content are read into a value of its direction.
///
/// Nothing is lost: `message` gives back what was read, unknown members included.
package struct TypedMessage<Body: MessageBody>: Sendable, Hashable {
    package var header: EdgeMessage.Header
    package var source: String
    package var group: String
    package var body: Body
    /// Unknown members of the route.
    package var routeRest: JSONObject
    /// Unknown members of the message.
    package var rest: JSONObject

    package init(_ message: EdgeMessage) {
        header = message.header
        source = message.route.source
        group = message.route.group
        routeRest = message.route.rest
        rest = message.rest
        body = Body(message)
    }

    package var message: EdgeMessage {
        let parts = body.parts
        var message = EdgeMessage(
            header: header,
            route: EdgeMessage.Route(source: source, group: group, operation: parts.operation, resource: parts.resource.text),
            content: parts.content)
        message.route.rest = routeRest
        message.rest = rest
        return message
    }
}

/// What a message says besides who says it to whom.
package protocol MessageBody: Sendable, Hashable {
    /// Reads a message; any message has some body.
    init(_ message: EdgeMessage)
    var parts: MessageParts { get }
}

/// A body as it stands on the wire.
package struct MessageParts: Sendable, Hashable {
    package var operation: String
    package var resource: EdgeResource
    package var content: JSONValue

    package init(_ operation: String, _ resource: EdgeResource, _ content: JSONValue) {
        self.operation = operation
        self.resource = resource
        self.content = content
    }
}

extension JSONValue {
    /// The object, where the value is one.
    var objectValue: JSONValue? { if case .object = self { self } else { nil } }
}
