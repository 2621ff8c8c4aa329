import NIOHTTP1

/// The words beside a status code.
package enum HTTPReason {
    package static func phrase(_ status: Int) -> String { HTTPResponseStatus(statusCode: status).reasonPhrase }
}
