/// Namespace, type and name of what a message is about, `<ns>/<type>[/<name>]` on the wire (`spec/01 §5.1`).
package struct EdgeObjectPath: Sendable, Hashable, CustomStringConvertible {
    /// `null` for an object of the whole cluster; but nodes, volumes, attachments and signing requests use `default`.
    package var namespace: String
    package var type: String
    /// nil for a whole collection.
    package var name: String?

    package init(namespace: String, type: String, name: String?) {
        self.namespace = namespace
        self.type = type
        self.name = name
    }

    package var description: String { name.map { "\(namespace)/\(type)/\($0)" } ?? "\(namespace)/\(type)" }

    /// The word that stands for "no namespace".
    package static let clusterNamespace = "null"
    /// The namespace of leases of nodes.
    package static let leaseNamespace = "kube-node-lease"
    /// The namespace that edge requests use for objects of the whole cluster.
    package static let defaultNamespace = "default"
}

/// The resource of a message, read: the grammar of `spec/01 §5.1`.
///
/// Every text is some resource; `text` gives back exactly what was read.
package enum EdgeResource: Sendable, Hashable {
    case object(EdgeObjectPath)
    /// `node`, of a keepalive.
    case keepalive
    /// `k8s/ca.crt`.
    case kubernetesCA
    /// `membership`, cloud to edge.
    case membership
    /// `membership/detail`, edge to cloud.
    case membershipDetail
    /// `twin`: the confirmation of a device report.
    case twin
    /// `device/<ns>/<name>/twin/edge_updated`.
    case deviceTwin(namespace: String, name: String)
    /// `device/<ns>/<name>/state/update`.
    case deviceState(namespace: String, name: String)
    /// `<taskType>/<id>/node/<node>`, cloud to edge.
    case nodeTask(type: String, id: String, node: String)
    /// `task/<id>/node/<node>`, edge to cloud.
    case taskReport(id: String, node: String)
    /// `null`: a request of MetaServer.
    case application
    /// `ignore/Application/ignore`: its answer.
    case applicationAnswer
    /// `watchapp/sync`.
    case applicationWatch
    /// No resource at all.
    case none
    /// Anything else, such as the topics and URLs of group `user`.
    case other(String)

    /// Reads the resource of a message in wire form.
    ///
    /// An object has two or three parts; none is empty, `.` or `..`, none is longer than 253 bytes.
    package init(_ text: String) {
        switch text {
        case "": self = .none
        case "node": self = .keepalive
        case "k8s/ca.crt": self = .kubernetesCA
        case "membership": self = .membership
        case "membership/detail": self = .membershipDetail
        case "twin": self = .twin
        case "null": self = .application
        case "ignore/Application/ignore": self = .applicationAnswer
        case "watchapp/sync": self = .applicationWatch
        default: self = Self.path(text)
        }
    }

    private static let maximumLength = 5 * 254

    private static func path(_ text: String) -> EdgeResource {
        guard text.utf8.count <= maximumLength else { return .other(text) }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 253 }) else { return .other(text) }
        switch parts.count {
        case 2: return .object(EdgeObjectPath(namespace: parts[0], type: parts[1], name: nil))
        case 3: return .object(EdgeObjectPath(namespace: parts[0], type: parts[1], name: parts[2]))
        case 4 where parts[2] == "node":
            return parts[0] == "task"
                ? .taskReport(id: parts[1], node: parts[3]) : .nodeTask(type: parts[0], id: parts[1], node: parts[3])
        case 5 where parts[0] == "device" && parts[3] == "twin" && parts[4] == "edge_updated":
            return .deviceTwin(namespace: parts[1], name: parts[2])
        case 5 where parts[0] == "device" && parts[3] == "state" && parts[4] == "update":
            return .deviceState(namespace: parts[1], name: parts[2])
        default: return .other(text)
        }
    }

    /// The resource as it stands on the wire.
    package var text: String {
        switch self {
        case .object(let path): path.description
        case .keepalive: "node"
        case .kubernetesCA: "k8s/ca.crt"
        case .membership: "membership"
        case .membershipDetail: "membership/detail"
        case .twin: "twin"
        case .deviceTwin(let namespace, let name): "device/\(namespace)/\(name)/twin/edge_updated"
        case .deviceState(let namespace, let name): "device/\(namespace)/\(name)/state/update"
        case .nodeTask(let type, let id, let node): "\(type)/\(id)/node/\(node)"
        case .taskReport(let id, let node): "task/\(id)/node/\(node)"
        case .application: "null"
        case .applicationAnswer: "ignore/Application/ignore"
        case .applicationWatch: "watchapp/sync"
        case .none: ""
        case .other(let text): text
        }
    }

    /// The path, where the resource is an object or a collection.
    package var path: EdgeObjectPath? { if case .object(let path) = self { path } else { nil } }
}

extension EdgeMessage {
    /// The resource of the route, read.
    package var resource: EdgeResource { EdgeResource(route.resource) }
}
