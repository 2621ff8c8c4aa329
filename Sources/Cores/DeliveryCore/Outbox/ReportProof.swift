package import EdgeMessages
package import KubeMachinery

/// How the edge learns that the cloud has a report.
package enum ReportProof: Sendable, Hashable {
    /// The cloud answers it: a `response` with the report's id as parent.
    case answer
    /// The cloud says nothing; that a ping sent after the report has come back shows that it was read.
    case reading
}

extension EdgeMessage {
    /// How this report is proved to a cloud that answers reports (`PeerCapability.confirmations`), or does not.
    ///
    /// Go clouds answer what twins report of their values, on resource `twin`, and nothing else (`spec/01 §5.10, §5.11`).
    package func proof(isConfirmed: Bool) -> ReportProof { isConfirmed || isTwinReport ? .answer : .reading }

    /// What a device reports of the values of its twin; Go edges repeat it with the same id until it is answered (`spec/01` D-29).
    package var isTwinReport: Bool {
        route.group == EdgeGroup.resource && route.operation == EdgeOperation.update && route.resource.hasPrefix("device/")
            && route.resource.hasSuffix("/twin/edge_updated")
    }

    /// Whether a message of the edge may come again with the same id, and is to be handled once and answered each time.
    package var isRepeatable: Bool { wantsAnswer || isTwinReport }

    /// What tells the sender of this report that it has been handled; twins hear that on a resource of their own (`spec/01 §5.10`).
    package func confirmation() -> EdgeMessage {
        guard isTwinReport else { return acknowledgement() }
        return EdgeMessage(
            source: EdgeSource.deviceController, group: EdgeGroup.twin, operation: EdgeOperation.response, resource: "twin", content: "OK",
            parentID: header.id)
    }

    /// What an answer to a report holds against it; nil where the cloud has taken it.
    ///
    /// The text that a REST target gave is no judgement on the report.
    package var refusal: KubeStatus? {
        if route.operation == EdgeOperation.error { return .internalError(content.string ?? content.text()) }
        guard case .object = content else { return nil }
        if content.member("ErrStatus") != nil { return KubeStatus(errorContent: content) }
        guard case .failure(let status)? = ObjectResponse(json: content)?.result else { return nil }
        return status
    }
}
