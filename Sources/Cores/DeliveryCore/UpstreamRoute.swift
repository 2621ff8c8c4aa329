package import EdgeMessages

/// Where a message of an edge goes in the cloud (`spec/01 §5.2`, "first match wins").
package enum UpstreamRoute: Sendable, Hashable {
    /// A sign of life.
    case keepalive
    /// For whoever waits for a volume plugin at the edge.
    case volumeAnswer
    case acknowledgement
    /// To be logged: the edge could not keep something.
    case failure
    case router
    case taskManager
    case kubernetesCA
    case edgeController
    case deviceController
    case dynamicController
    /// The empty message of an edge that stops: ignored.
    case empty
    /// A message in the name of a module of the cloud: dropped.
    case forged

    package init(_ message: EdgeMessage) {
        let route = message.route
        if route.source.isEmpty, route.operation.isEmpty, route.resource.isEmpty {
            self = .empty
        } else if route.operation == EdgeOperation.keepalive {
            self = .keepalive
        } else if let path = message.resource.path, path.type == EdgeType.volume, path.name != nil {
            self = .volumeAnswer
        } else if route.operation == EdgeOperation.response {
            self = .acknowledgement
        } else if route.operation == EdgeOperation.error {
            self = .failure
        } else if route.operation == EdgeOperation.upload, route.group == EdgeGroup.user {
            self = .router
        } else if route.operation == "upgrade" || route.operation == "prepull" {
            self = .taskManager
        } else if route.resource == "k8s/ca.crt" {
            self = .kubernetesCA
        } else {
            self = Self.bySource(route.source)
        }
    }

    private static func bySource(_ source: String) -> UpstreamRoute {
        switch source {
        case EdgeSource.cloudHub, EdgeSource.cloudStream, EdgeSource.deviceController, EdgeSource.edgeController,
            EdgeSource.syncController:
            .forged
        case EdgeSource.metaServer: .dynamicController
        case EdgeSource.twin: .deviceController
        default: .edgeController
        }
    }
}
