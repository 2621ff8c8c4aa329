package import EdgeMessages

/// Queries for one object share one request and whatever brings the object.
///
/// A Go cloud keeps one message an object in a node's queue: of two answers to queries for it, or of an answer and a change, only the later
/// one is sent (`spec/01 §6.2`). So nobody here asks twice at the same time, and a change that comes answers who asks.
extension EdgeSession {
    /// Open requests for an object, in the order in which they were made.
    func openQueries(for resource: String) -> [OpenRequest] {
        requests.values.filter { $0.message.isSharedQuery && $0.message.route.resource == resource }.sorted { $0.order < $1.order }
    }

    mutating func takeOrder() -> UInt64 {
        requestCount += 1
        return requestCount
    }

    /// Takes those whom an answer serves: whoever sent the request, and everybody who asks for the same object.
    mutating func takeWaiters(parent: String, _ answer: EdgeMessage) -> [OpenRequest] {
        guard let request = requests.removeValue(forKey: parent) else {
            // Who asked does not wait any more. The object serves others all the same; an error may be of a request of another kind.
            guard case .object = answer.answer else { return [] }
            return take(openQueries(for: answer.route.resource))
        }
        guard request.message.isSharedQuery else { return [request] }
        return [request] + take(openQueries(for: answer.route.resource))
    }

    /// Takes those who asked for the object that a change brings: it is at least as new as what they would be told.
    mutating func takeWaiters(change message: EdgeMessage) -> [OpenRequest] {
        let operation = message.route.operation
        guard operation == EdgeOperation.insert || operation == EdgeOperation.update, case .object = message.answer else { return [] }
        return take(openQueries(for: message.route.resource))
    }

    private mutating func take(_ queries: [OpenRequest]) -> [OpenRequest] {
        guard !queries.isEmpty else { return [] }
        for query in queries { requests[query.message.header.id] = nil }
        outgoing.removeAll { entry in queries.contains { entry == .request($0.message.header.id) } }
        return queries
    }

    /// Lets the next of those that ride on a request that is given up ask for itself.
    mutating func askAgain(_ message: EdgeMessage) {
        guard message.isSharedQuery, let next = openQueries(for: message.route.resource).first, next.rides else { return }
        let id = next.message.header.id
        requests[id]?.rides = false
        enqueue(.request(id), next.message)
    }
}

extension EdgeMessage {
    /// Whether this asks for an object by its name alone, so that one answer serves everybody who asks.
    package var isSharedQuery: Bool {
        guard route.operation == EdgeOperation.query, content.isNull, let path = resource.path, path.name != nil else { return false }
        return path.type != EdgeType.lease
    }
}
