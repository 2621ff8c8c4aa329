package import EdgeMessages
package import Primitives

extension NodeSession {
    /// Takes a message of the edge.
    package mutating func received(_ message: EdgeMessage, now: Moment) -> [NodeSessionDirective] {
        // A report that came before the end counts: its edge may know by a pong that it has arrived.
        guard ending == nil || message.isRepeatable else { return [] }
        acknowledgedAfter = nil
        let route = UpstreamRoute(message)
        switch route {
        case .keepalive:
            lastKeepalive = now.uptime
            return []
        case .empty: return []
        case .acknowledgement:
            guard let parent = message.header.parentID else { return [.note(.unknownAcknowledgement(of: ""))] }
            return acknowledged(parent, now: now.uptime)
        case .failure: return [.note(.edgeFailure(String((message.content.string ?? message.content.text()).prefix(512))))]
        case .forged: return [.note(.forgedSource(message.route.source))]
        case .volumeAnswer, .router, .taskManager, .kubernetesCA, .edgeController, .deviceController, .dynamicController:
            return [.handle(message, route)]
        }
    }
}
