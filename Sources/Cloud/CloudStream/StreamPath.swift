import HTTPServing
import KubeMachinery
import Primitives

/// What the API server asks of a kubelet, as its path says (`spec/01 §9.4`).
enum StreamPath: Sendable, Hashable {
    /// Whose node it is: a pod's.
    enum Work: Sendable, Hashable { case logs, exec, attach, portForward, run }

    case pod(Work, ObjectKey)
    /// Metrics, figures and everything else that is asked of a node as a whole.
    case node

    /// nil where no kubelet has such a path.
    init?(_ path: Substring) {
        let segments = path.split(separator: "/").map { PercentEncoding.decode($0) }
        guard let first = segments.first else { return nil }
        let works: [String: (Work, ClosedRange<Int>)] = [
            "containerLogs": (.logs, 4...4), "exec": (.exec, 4...5), "attach": (.attach, 4...5), "portForward": (.portForward, 3...4),
            "run": (.run, 4...5),
        ]
        if let (work, counts) = works[first] {
            guard counts.contains(segments.count) else { return nil }
            self = .pod(work, ObjectKey(namespace: segments[1], name: segments[2]))
        } else if ["stats", "metrics", "pods", "runningpods", "healthz", "configz", "logs"].contains(first) {
            self = .node
        } else {
            return nil
        }
    }

    /// The node that a request for a node as a whole means: the API server's proxy tells it in a header, else the address it dialled.
    static func node(of request: HTTPRequest) -> (name: String?, address: String) {
        let host = request.headers["Host"] ?? ""
        let address = host.hasPrefix("[") ? String(host.dropFirst().prefix { $0 != "]" }) : String(host.prefix { $0 != ":" })
        let parts = (request.headers["X-Forwarded-Uri"] ?? "").split(separator: "/", omittingEmptySubsequences: false)
        // "/api/v1/nodes/<node>/…"
        let name = parts.count > 6 && parts[3] == "nodes" ? String(parts[4]) : nil
        return (name, address)
    }
}

enum PercentEncoding {
    static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
