import AsyncHTTPClient
package import KubeMachinery
import NIOCore

extension KubeClient {
    package func watch(_ resource: GroupVersionResource, _ query: ListQuery, resourceVersion: String) async throws
        -> AsyncThrowingStream<WatchEvent, any Error>
    {
        // The server ends the watch before its silence would look like a dead connection: it sends no bookmarks for kinds that never change.
        let time = limits.silence * Double.random(in: 0.6..<0.8)
        let request = KubeRequest.watch(resource, query, resourceVersion: resourceVersion, timeout: .seconds(max(1, time.components.seconds)))
        let answer: HTTPClientResponse
        do {
            answer = try await watches.execute(prepared(request), deadline: .distantFuture)
        } catch {
            throw try unreachable(error)
        }
        guard answer.status == .ok else {
            let body = (try? await answer.body.collect(upTo: 1 << 20)).map { Array($0.readableBytesView) } ?? []
            throw Self.failure(Int(answer.status.code), answer.headers, body, request)
        }
        let reader = WatchReader(answer.body, limit: limits.line)
        return AsyncThrowingStream { [self] in
            do { return try await reader.next() } catch { throw try unreachable(error) }
        }
    }
}

// SAFETY: the stream around it asks for one event at a time, and nobody else knows the reader.
private final class WatchReader: @unchecked Sendable {
    private var parts: HTTPClientResponse.Body.AsyncIterator
    private var decoder: WatchDecoder
    private var ready: ArraySlice<Result<WatchEvent, KubeStatus>> = []

    init(_ body: HTTPClientResponse.Body, limit: Int) {
        parts = body.makeAsyncIterator()
        decoder = WatchDecoder(lineLimit: limit)
    }

    /// nil where the server ended the watch in good order.
    func next() async throws -> WatchEvent? {
        while true {
            if let result = ready.popFirst() { return try result.get() }
            guard let part = try await parts.next() else { return nil }
            ready = decoder.feed(part.readableBytesView)[...]
        }
    }
}
