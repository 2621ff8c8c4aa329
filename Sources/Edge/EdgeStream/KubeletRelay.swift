import EdgeMessages
import EdgeTransport
import HTTPServing
import Logging
import Primitives

/// Carries one stream of the tunnel to the kubelet's port on this node and back (`spec/01 §9.5–9.6`).
struct KubeletRelay: Sendable {
    let host: String
    let port: Int
    let logger: Logger

    func serve(_ kind: TunnelFrame.Kind, _ connector: TunnelConnector, _ stream: TunnelStream) async {
        do {
            switch kind {
            case .exec, .attach: try await relayWhole(connector, stream)
            default: try await relayBody(connector, stream)
            }
        } catch {
            logger.debug("stream broke", metadata: ["path": "\(connector.path)", "stream": "\(stream.id)", "error": "\(error)"])
        }
    }

    /// The whole answer, its head too, and the bytes of the stream back to the kubelet.
    private func relayWhole(_ connector: TunnelConnector, _ stream: TunnelStream) async throws {
        let answer: HTTPUpgradeExchange.Answer
        do {
            answer = try await exchange(connector).perform()
        } catch {
            let text = "the kubelet of this node does not answer: \(error)\n"
            let head =
                "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n"
            return try await stream.send(Array((head + text).utf8))
        }
        var head = "HTTP/1.1 \(answer.status) \(HTTPReason.phrase(answer.status))\r\n"
        for field in answer.headers { head += "\(field.name): \(field.value)\r\n" }
        let opening = Array((head + "\r\n").utf8) + answer.early
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await stream.send(opening)
                    while let bytes = try await answer.stream.receive() { try await stream.send(bytes) }
                } catch {}
            }
            group.addTask {
                // At its end the cloud has left: the kubelet has nobody to answer.
                do { while let bytes = try await stream.receive() { try await answer.stream.send(bytes) } } catch {}
            }
            await group.next()
            group.cancelAll()
            await answer.stream.close()
        }
    }

    /// The body of the answer alone.
    private func relayBody(_ connector: TunnelConnector, _ stream: TunnelStream) async throws {
        let answer: HTTPUpgradeExchange.Answer
        do {
            answer = try await exchange(connector).perform()
        } catch {
            return try await stream.send(Array("the kubelet of this node does not answer: \(error)\n".utf8))
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    var decoder = HTTPBodyDecoder(status: answer.status, headers: answer.headers, method: connector.method ?? "GET")
                    try await stream.send(try decoder.decode(answer.early))
                    while !decoder.isWhole, let bytes = try await answer.stream.receive() { try await stream.send(try decoder.decode(bytes)) }
                } catch { logger.debug("stream ended early", metadata: ["path": "\(connector.path)", "error": "\(error)"]) }
            }
            group.addTask {
                // Nothing comes this way but the end.
                while let bytes = try? await stream.receive(), !bytes.isEmpty {}
            }
            await group.next()
            group.cancelAll()
            await answer.stream.close()
        }
    }

    private func exchange(_ connector: TunnelConnector) -> HTTPUpgradeExchange {
        var headers = HTTPFields()
        for (name, values) in connector.headers.sorted(by: { $0.key < $1.key }) {
            guard !["host", "content-length", "transfer-encoding", "connection"].contains(name.lowercased()) else { continue }
            for value in values { headers.append(name, value) }
        }
        let wantsUpgrade = headers["Upgrade"] != nil
        headers.append("Connection", wantsUpgrade ? "Upgrade" : "close")
        let method = connector.method ?? "GET"
        if method != "GET", method != "HEAD" { headers.append("Content-Length", "0") }
        return HTTPUpgradeExchange(method: method, host: host, port: port, target: connector.target, headers: headers)
    }
}
