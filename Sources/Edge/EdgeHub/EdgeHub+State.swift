import DeliveryCore
package import Primitives

extension EdgeHub {
    /// Where the line stands and what waits for it, for an operator.
    package var state: JSONValue {
        let backlog = core.backlog
        return [
            "connected": .bool(core.isOnline), "since": changedAt.map { .string($0.rfc3339) } ?? .null, "attempts": .integer(Int64(core.epoch)),
            "lastFailure": lastFailure.map { .string($0) } ?? .null,
            "waiting": [
                "requests": .integer(Int64(backlog.requests)), "reports": .integer(Int64(backlog.posts)),
                "acknowledgements": .integer(Int64(backlog.acknowledgements)), "beingKept": .integer(Int64(backlog.applying)),
            ],
        ]
    }
}
