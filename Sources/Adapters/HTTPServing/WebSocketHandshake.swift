import Crypto
import Primitives

/// The server's side of the opening handshake (RFC 6455 §4.2).
package enum WebSocketHandshake {
    enum Answer {
        case accept(HTTPFields)
        case refuse(HTTPResponse)
    }

    static func answer(to request: HTTPRequest) -> Answer {
        guard request.method == "GET", request.headers.contains("Connection", element: "upgrade"),
            request.headers.contains("Upgrade", element: "websocket")
        else { return .refuse(.text(400, "this address speaks WebSocket only: send an upgrade request")) }
        guard request.headers["Sec-WebSocket-Version"] == "13" else {
            var refusal = HTTPResponse.text(426, "the WebSocket version must be 13")
            refusal.headers["Sec-WebSocket-Version"] = "13"
            return .refuse(refusal)
        }
        let keys = request.headers.values("Sec-WebSocket-Key")
        guard keys.count == 1, keys[0].utf8.count == 24 else { return .refuse(.text(400, "the Sec-WebSocket-Key is malformed")) }
        return .accept(["Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": acceptKey(for: keys[0])])
    }

    /// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`.
    package static func acceptKey(for key: String) -> String {
        Base64.encode(Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }
}
