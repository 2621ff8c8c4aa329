import DeliveryCore
import EdgeMessages

/// Handles each report of one node once, over all its connections.
actor NodeReports {
    private var memory = ReportMemory()
    /// Those who wait until a lane is free.
    private var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]

    /// A session of the node begins: reports of older ones that are not being handled yet are left to it.
    func begin(epoch: UInt64) {
        memory.begin(epoch: epoch)
        for lane in waiting.keys.sorted() { wake(lane) }
    }

    /// Handles a report, or waits until it has been, and returns its answer; nil where the edge sends it again over a newer session.
    ///
    /// `handle` says what is to be answered. What it refuses or leaves without an answer, and what it was cancelled in, counts as not handled.
    func answer(_ message: EdgeMessage, epoch: UInt64, _ handle: @Sendable () async -> EdgeMessage?) async -> EdgeMessage? {
        let (id, lane) = (message.header.id, message.lane)
        while true {
            switch memory.take(id, lane: lane, epoch: epoch) {
            case .outdated: return nil
            case .handled: return message.confirmation()
            case .wait: await withCheckedContinuation { waiting[lane, default: []].append($0) }
            case .handle:
                let answer = await handle()
                memory.finish(id, lane: lane, isTaken: answer.map { $0.refusal == nil } ?? false && !Task.isCancelled)
                wake(lane)
                return answer
            }
        }
    }

    private func wake(_ lane: String) {
        for continuation in waiting.removeValue(forKey: lane) ?? [] { continuation.resume() }
    }
}
