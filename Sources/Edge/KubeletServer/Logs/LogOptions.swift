import Primitives

/// What of a container's log is wanted: the `PodLogOptions` of a query (`spec/05 §23.3`).
struct LogOptions: Sendable, Hashable {
    var follows = false
    var isPrevious = false
    var hasTimestamps = false
    /// The number of lines from the end; nil for all.
    var tailLines: Int64?
    /// At most so many bytes of the answer.
    var limitBytes: Int64?
    /// Lines before this time are left out.
    var since: Timestamp?

    init() {}

    /// Throws 400 for what cannot be read, 422 for what cannot be meant.
    init(_ request: ServedRequest, now: Timestamp) throws(ServedFailure) {
        follows = request.flag("follow")
        isPrevious = request.flag("previous")
        hasTimestamps = request.flag("timestamps")
        tailLines = try Self.number(request["tailLines"])
        if let tail = request["tail"], !tail.isEmpty { tailLines = tail == "all" ? nil : try Self.number(tail) }
        limitBytes = try Self.number(request["limitBytes"])
        let seconds = try Self.number(request["sinceSeconds"])
        var sinceTime: Timestamp?
        if let text = request["sinceTime"], !text.isEmpty, text != "null" {
            guard let time = Timestamp(rfc3339: text) else { throw Self.unreadable }
            sinceTime = time
        }
        guard tailLines ?? 0 >= 0, limitBytes ?? 1 >= 1, seconds ?? 1 >= 1, seconds == nil || sinceTime == nil else {
            throw ServedFailure(422, #"{"message": "Invalid request."}"#)
        }
        since =
            sinceTime ?? seconds.map { Timestamp(seconds: now.seconds.subtractingReportingOverflow($0).partialValue, nanoseconds: now.nanoseconds) }
    }

    private static var unreadable: ServedFailure { ServedFailure(400, #"{"message": "Unable to decode query."}"#) }

    private static func number(_ text: String?) throws(ServedFailure) -> Int64? {
        guard let text else { return nil }
        guard let number = Int64(text) else { throw unreadable }
        return number
    }
}
