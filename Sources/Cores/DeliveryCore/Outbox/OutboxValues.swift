package import EdgeMessages

/// How a report counts.
package enum ReportKind: Sendable, Hashable {
    /// Says everything about its key: a newer report of the same key on the same lane takes its place.
    case state(key: String)
    /// Counts for itself: each one reaches the cloud.
    case event

    package var isEvent: Bool { self == .event }
}

/// A report as it lies on the disk; its message bears the same id however often it is sent.
package struct OutboxRow: Sendable, Hashable {
    /// Rows of one lane reach the cloud in the order of their numbers.
    package var number: UInt64
    package var kind: ReportKind
    package let message: EdgeMessage
    /// Bytes of the message on the wire, which is what the limits count.
    package let size: Int

    package init(number: UInt64, kind: ReportKind, message: EdgeMessage) {
        self.init(number: number, kind: kind, message: message, size: message.wire.count)
    }

    init(number: UInt64, kind: ReportKind, message: EdgeMessage, size: Int) {
        self.number = number
        self.kind = kind
        self.message = message
        self.size = size
    }

    /// Reports of one lane are sent one after the other, those of different lanes side by side.
    package var lane: String { message.lane }

    /// What the index keeps of it.
    package var summary: OutboxSummary { OutboxSummary(number: number, kind: kind, lane: lane, size: size) }
}

/// A row without its message.
package struct OutboxSummary: Sendable, Hashable {
    package let number: UInt64
    package let kind: ReportKind
    package let lane: String
    package let size: Int
}

extension EdgeMessage {
    /// The lane of a report: the device for what is about one, else the resource.
    package var lane: String {
        guard route.resource.hasPrefix("device/") else { return route.resource }
        return route.resource.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
    }
}

/// Rows to be written and removed as one transaction.
package struct OutboxBatch: Sendable, Hashable {
    package var puts: [OutboxRow] = []
    package var removals: [UInt64] = []

    package init(puts: [OutboxRow] = [], removals: [UInt64] = []) {
        self.puts = puts
        self.removals = removals
    }
}

/// A report whose turn it is; the shell reads its row, sends it, and says with `finished` what became of it.
package struct OutboxTurn: Sendable, Hashable {
    package let number: UInt64
    package let lane: String
    /// The connection for which it was handed out.
    package let line: UInt64
}

/// What became of a report that was sent.
package enum OutboxOutcome: Sendable, Hashable {
    /// The cloud has it.
    case confirmed
    /// The cloud said that it will never take it.
    case refused(String)
    /// The cloud could not take it now, or did not answer in time.
    case later(String)
    /// There is no connection any more.
    case lost
    /// Its row is not there or cannot be read.
    case unreadable(String)
}

/// What the shell of the outbox is to do.
package enum OutboxDirective: Sendable, Hashable {
    /// Tell the caller with this ticket that its report is on the disk, or why it is not kept.
    case resume(ticket: UInt64, OutboxError?)
    /// Log it.
    case note(OutboxNote)
}

/// What a log should say.
package enum OutboxNote: Sendable, Hashable {
    /// Events that gave their room to newer reports; `lane` is that of the last one.
    case dropped(count: Int, lane: String)
    case refused(lane: String, cause: String)
    case putOff(lane: String, cause: String)
    case unreadable(lane: String, cause: String)
    case notWritten(cause: String)
}

/// Why a report is not kept.
package struct OutboxError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The report alone is larger than what the outbox may hold of one.
        case tooLarge
        /// States and reports under way fill the outbox; events that could make room are gone already.
        case full
        /// The disk did not take it.
        case notWritten
        /// The edge stops.
        case stopped
    }

    package var code: Code
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    /// Whether the same report may be taken later.
    package var isRetryable: Bool { code != .tooLarge }
}
