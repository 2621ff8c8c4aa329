import PodCore
import SwiftProtobuf

extension DevicePluginHost {
    /// Assigns what a container asks of plugins and does not hold yet.
    func assign(_ container: ContainerView, of pod: PodView) async throws(DeviceFailure) {
        for (resource, count) in container.deviceRequests where ledger.resources[resource] != nil {
            let claim = DeviceLedger.Claim(podUID: pod.uid, container: container.name, resource: resource)
            try await assign(claim, count: count, pod: pod)
        }
    }

    private func assign(_ claim: DeviceLedger.Claim, count: Int, pod: PodView) async throws(DeviceFailure) {
        guard case .devices(let kept, let missing, let available) = try ledger.need(claim, count: count, pod: pod) else { return }
        guard let link = links[claim.resource] else { throw DeviceFailure("unknown Device Plugin \(claim.resource)") }
        var preferred: [String] = []
        if missing > 0, ledger.resources[claim.resource]?.hasPreference == true {
            preferred = try await link.preference(among: available + kept, mustInclude: kept, count: count)
        }
        // Time may have passed: what was free is looked at again.
        guard case .devices(let kept, let missing, let available) = try ledger.need(claim, count: count, pod: pod) else { return }
        let ids = kept + DeviceLedger.pick(missing, from: available, preferring: preferred)
        ledger.reserve(claim, ids)
        do {
            ledger.assign(claim, try await link.allocate(ids))
        } catch {
            ledger.giveUp(claim)
            throw error
        }
        writeCheckpoint()
        logger.info(
            "devices assigned",
            metadata: [
                "pod": "\(pod.namespace)/\(pod.name)", "container": "\(claim.container)", "resource": "\(claim.resource)",
                "devices": "\(ids.joined(separator: ","))",
            ])
    }

    /// What plugins answered for a container, those asked first that want to know before it starts.
    func wholeGrant(_ container: ContainerView, of pod: PodView) async throws(DeviceFailure) -> DeviceGrant {
        var grant = DeviceGrant()
        let requests = container.deviceRequests.filter { ledger.resources[$0.resource] != nil }
        guard !requests.isEmpty else { return grant }
        func claim(_ resource: String) -> DeviceLedger.Claim {
            DeviceLedger.Claim(podUID: pod.uid, container: container.name, resource: resource)
        }
        if requests.contains(where: { ledger.assignments[claim($0.resource)] == nil }) { try await assign(container, of: pod) }
        for (resource, _) in requests {
            guard let assignment = ledger.assignments[claim(resource)] else {
                throw DeviceFailure("no devices of \(resource) are assigned to container \(container.name) of pod \(pod.fullName)")
            }
            if ledger.resources[resource]?.needsPreStart == true {
                guard let link = links[resource] else { throw DeviceFailure("endpoint of \(resource) has been stopped") }
                try await link.preStart(assignment.ids.sorted())
            }
            guard let answer = DeviceGrant(response: assignment.response) else {
                throw DeviceFailure("what the plugin of \(resource) answered for container \(container.name) cannot be read any more")
            }
            grant.add(answer)
        }
        return grant
    }
}
