package import Primitives

/// When a node's lease is renewed, as its `renewTime` says it.
package enum LeaseRenewal {
    /// Now; where a later time stands already, a moment after that. For the cluster counts a renewal only where the time has moved on: else a node
    /// whose clock was a year ahead for a moment would be taken for silent for a year.
    package static func time(after known: JSONValue, now: Timestamp) -> JSONValue {
        guard let known = known.string.flatMap(Timestamp.init(rfc3339:)), known >= now else { return .string(now.rfc3339Micro) }
        return .string((known + .milliseconds(1)).rfc3339Micro)
    }
}
