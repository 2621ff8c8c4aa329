import EdgeMessages
import EdgeTransport
import HTTPServing
import Primitives

/// Makes the answer for the API server out of what comes through a stream.
struct StreamAnswer: Sendable {
    /// How long an edge may take for the head of an answer.
    static let headTime = Duration.seconds(30)

    let stream: TunnelStream
    let method: String
    let clock: any MomentSource

    /// The body alone comes through the stream: the status is not known (D-53).
    func body(contentType: String?) -> HTTPResponse {
        var headers = HTTPFields()
        if let contentType { headers["Content-Type"] = contentType }
        return .stream(200, headers: headers) { [stream] writer in
            do {
                while let bytes = try await stream.receive() { try await writer.write(bytes) }
            } catch {
                await stream.finish()
                throw error
            }
            await stream.finish()
        }
    }

    /// The whole answer comes through the stream, byte by byte.
    func whole() async -> HTTPResponse {
        let head: Head
        do {
            head = try await readHead()
        } catch {
            await stream.finish()
            return .text(502, "the node gave no answer: \(error)")
        }
        if head.status == 101 { return switched(head) }
        let framing = HTTPBodyDecoder(status: head.status, headers: head.headers, method: method)
        var headers = head.headers
        for name in ["Content-Length", "Transfer-Encoding", "Connection"] { headers[name] = nil }
        if framing.isWhole {
            await stream.finish()
            return HTTPResponse(status: head.status, headers: headers)
        }
        return .stream(head.status, headers: headers) { [stream] writer in
            var decoder = framing
            do {
                let first = try decoder.decode(head.early)
                if !first.isEmpty { try await writer.write(first) }
                while !decoder.isWhole, let bytes = try await stream.receive() {
                    let content = try decoder.decode(bytes)
                    if !content.isEmpty { try await writer.write(content) }
                }
                guard decoder.mayEnd else { throw HTTPServingError(code: .connectionClosed, message: "the node's answer is not whole") }
            } catch {
                await stream.finish()
                throw error
            }
            await stream.finish()
        }
    }

    private struct Head: Sendable {
        var status: Int
        var headers: HTTPFields
        var early: [UInt8]
    }

    private func readHead() async throws -> Head {
        try await withThrowingTaskGroup(of: Head?.self) { group in
            group.addTask {
                var bytes: [UInt8] = []
                while let more = try await stream.receive() {
                    bytes += more
                    if let end = HTTPUpgradeExchange.endOfHead(bytes, from: 0) {
                        guard let (status, headers) = HTTPUpgradeExchange.parse(bytes[..<(end - 4)]) else {
                            throw HTTPServingError(code: .protocolViolation, message: "it does not speak HTTP/1.1")
                        }
                        return Head(status: status, headers: headers, early: Array(bytes[end...]))
                    }
                    guard bytes.count <= 64 << 10 else {
                        throw HTTPServingError(code: .headerTooLarge, message: "the head of its answer has more than 64 KiB")
                    }
                }
                throw HTTPServingError(code: .connectionClosed, message: "its stream ended before an answer")
            }
            group.addTask {
                try await clock.wait(until: clock.now().uptime + Self.headTime)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let head = first else {
                throw HTTPServingError(code: .timedOut, message: "none came within \(Self.headTime)")
            }
            return head
        }
    }

    /// The kubelet has switched protocols: the API server gets its headers, then every byte both ways.
    private func switched(_ head: Head) -> HTTPResponse {
        .duplex(headers: head.headers) { [stream] client in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        if !head.early.isEmpty { try await client.send(head.early) }
                        while let bytes = try await stream.receive() { try await client.send(bytes) }
                    } catch { await stream.finish() }
                }
                group.addTask {
                    do { while let bytes = try await client.receive() { try await stream.send(bytes) } } catch { await stream.finish() }
                }
                await group.next()
                group.cancelAll()
                await client.close()
            }
            await stream.finish()
        }
    }
}
