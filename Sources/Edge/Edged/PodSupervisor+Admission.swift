import KubeMachinery
import PodCore

// Which pods the node takes (`spec/05 §10`).
extension PodSupervisor {
    /// Admits a pod that is new here, or puts it off until plugins have answered for its devices: other pods do not wait for them.
    func admit(_ pod: PodView, _ worker: PodWorker) async {
        let node = await context.node.facts
        await worker.block(AppArmorRule.blockage(pod, node: node))
        if isNew(pod), await context.devices.concerns(pod) {
            admissions.append(pod.uid)
            signal.yield()
            return
        }
        if let refusal = await refusal(of: pod, node: node) { await worker.reject(refusal) }
        settle(pod.uid)
    }

    /// The pod may have its first turn.
    private func settle(_ uid: String) {
        entries[uid]?.isBusy = false
        wake(uid)
    }

    /// Whether the pod has not been started here before: one that has is never refused.
    private func isNew(_ pod: PodView) -> Bool {
        pod.object.status["startTime"].isNull && statics.mirrors.mirror(of: pod.object)?.status["startTime"].isNull ?? true
            && !pod.isDeleted && !pod.isTerminal
    }

    /// Whether the node takes a pod that is new here (`spec/05 §10`), be it in the place of others.
    private func refusal(of pod: PodView, node: NodeFacts) async -> AdmissionRefusal? {
        guard isNew(pod) else { return nil }
        let others = await activePods(but: pod)
        guard let refusal = PodAdmission.refusal(pod, among: others, node: node) else { return nil }
        guard let victims = Preemption.victims(for: pod, among: others, node: node) else { return refusal }
        for victim in victims { await preempt(victim) }
        return nil
    }

    private func activePods(but pod: PodView) async -> [PodView] {
        var others: [PodView] = []
        for entry in entries.values where entry.worker.key != pod.object.key {
            let (other, isActive) = await entry.worker.admissionView
            if isActive { others.append(other) }
        }
        return others
    }

    func takeAdmissions() -> [String] {
        defer { admissions = [] }
        return admissions
    }

    /// Admits a pod that wants devices.
    func admit(_ uid: String) async {
        guard let worker = entries[uid]?.worker else { return }
        let (pod, _) = await worker.admissionView
        if let refusal = await deviceRefusal(of: pod) { await worker.reject(refusal) }
        settle(uid)
    }

    private func deviceRefusal(of pod: PodView) async -> AdmissionRefusal? {
        var node = await context.node.facts
        if let refusal = PodAdmission.refusalBeforeDevices(pod, node: node) { return refusal }
        let active = hasSeenPods ? Set(await activePods(but: pod).map(\.uid)) : nil
        do { try await context.devices.admit(pod, active: active) } catch { return error }
        // Devices that are held count, whatever their health.
        for (name, amount) in await context.devices.resources() { node.allocatableOther[name] = max(amount.allocatable, amount.held) }
        return await refusal(of: pod, node: node)
    }
}
