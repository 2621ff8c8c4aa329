/// A door that opens once.
actor Gate {
    private(set) var isOpen = false
    private var waiting: [AsyncStream<Void>.Continuation] = []

    func open() {
        isOpen = true
        for continuation in waiting { continuation.finish() }
        waiting = []
    }

    /// Returns once the door is open; throws `CancellationError` when the task is cancelled first.
    func pass() async throws {
        if !isOpen {
            let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
            waiting.append(continuation)
            for await _ in stream {}
        }
        try Task.checkCancellation()
    }
}
