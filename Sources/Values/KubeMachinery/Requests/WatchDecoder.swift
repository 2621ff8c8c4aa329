import Primitives

/// Turns the bytes of a watch response (one JSON document a line) into events, however they are cut.
package struct WatchDecoder: Sendable {
    /// The bytes that one event may have.
    package let lineLimit: Int
    private var line: [UInt8] = []

    package init(lineLimit: Int = JSONLimits.wire.size) { self.lineLimit = lineLimit }

    /// The events that these bytes complete, in order; a failure is the last element and ends the watch.
    ///
    /// An `ERROR` event is the `KubeStatus` it carries (410 `Expired` where the version is too old). A line that is no event, or
    /// one over the limit, is an internal error: the reader has to list again.
    package mutating func feed(_ bytes: some Sequence<UInt8>) -> [Result<WatchEvent, KubeStatus>] {
        var results: [Result<WatchEvent, KubeStatus>] = []
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                if line.count > lineLimit {
                    line = []
                    results.append(.failure(.internalError("a watch event over \(lineLimit) bytes")))
                    return results
                }
                continue
            }
            let complete = line
            line.removeAll(keepingCapacity: complete.count < 64 << 10)
            guard complete.contains(where: { $0 > 0x20 }) else { continue }
            let result = Self.event(complete)
            results.append(result)
            if case .failure = result { return results }
        }
        return results
    }

    private static func event(_ line: [UInt8]) -> Result<WatchEvent, KubeStatus> {
        let json: JSONValue
        do { json = try JSONValue(parsing: line) } catch {
            return .failure(.internalError("unable to decode an event from the watch stream: \(error)"))
        }
        let object = KubeObject(json["object"])
        switch json["type"].string {
        case "ADDED": return .success(.added(object))
        case "MODIFIED": return .success(.modified(object))
        case "DELETED": return .success(.deleted(object))
        case "BOOKMARK": return .success(.bookmark(object.resourceVersion))
        case "ERROR": return .failure(KubeStatus(json: object.json) ?? .internalError("a watch error without a status: \(object.json)"))
        default: return .failure(.internalError("unable to decode an event from the watch stream: type \(json["type"])"))
        }
    }
}

extension WatchEvent {
    /// The line of a watch response, with its line feed.
    ///
    /// A bookmark carries the kind of the collection's objects.
    package func line(apiVersion: String, kind: String) -> [UInt8] {
        let value: JSONValue =
            switch self {
            case .added(let object): ["type": "ADDED", "object": object.json]
            case .modified(let object): ["type": "MODIFIED", "object": object.json]
            case .deleted(let object): ["type": "DELETED", "object": object.json]
            case .bookmark(let version):
                [
                    "type": "BOOKMARK",
                    "object": [
                        "kind": .string(kind), "apiVersion": .string(apiVersion),
                        "metadata": ["resourceVersion": .string(version), "creationTimestamp": nil],
                    ],
                ]
            }
        return value.encoded() + [UInt8(ascii: "\n")]
    }
}
