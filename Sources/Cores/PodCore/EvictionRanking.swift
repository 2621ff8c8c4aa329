import KubeMachinery

/// A pod that may have to go, with what it uses; nil where that is not known.
package struct EvictionCandidate: Sendable, Hashable {
    package var pod: PodView
    package var usage: PodUsage?

    package init(pod: PodView, usage: PodUsage?) {
        self.pod = pod
        self.usage = usage
    }

    fileprivate var priority: Int64 { pod.spec["priority"].int ?? 0 }
}

/// Which pod goes first, and what it is told (`spec/05 §25.5–25.6`).
package enum EvictionRanking {
    /// The candidates in the order in which they have to go.
    ///
    /// - Parameter hasImageFilesystem: Images and writable layers are on a file system of their own.
    package static func ranked(
        _ candidates: [EvictionCandidate], for signal: EvictionSignal, hasImageFilesystem: Bool
    ) -> [EvictionCandidate] {
        struct Ranked {
            var candidate: EvictionCandidate
            /// More than it asked for, or unknown.
            var isOver: Bool
            var priority: Int64
            /// The larger goes first; nil (unknown) before all.
            var weight: Int128?
        }
        let ranked = candidates.map { candidate in
            let used = amount(signal, candidate, hasImageFilesystem: hasImageFilesystem)
            guard signal != .processesAvailable else {
                return Ranked(candidate: candidate, isOver: false, priority: candidate.priority, weight: used ?? 0)
            }
            let request = Int128(candidate.pod.effectiveRequests[signal.resource] ?? 0)
            return Ranked(
                candidate: candidate, isOver: used.map { $0 > request } ?? true, priority: candidate.priority, weight: used.map { $0 - request })
        }
        return ranked.sorted { left, right in
            if (left.weight == nil) != (right.weight == nil) { return left.weight == nil }
            if left.isOver != right.isOver { return left.isOver }
            if left.priority != right.priority { return left.priority < right.priority }
            return (left.weight ?? 0) > (right.weight ?? 0)
        }.map(\.candidate)
    }

    /// What the pod takes of what the signal measures.
    private static func amount(_ signal: EvictionSignal, _ candidate: EvictionCandidate, hasImageFilesystem: Bool) -> Int128? {
        guard let usage = candidate.usage else { return nil }
        switch signal {
        case .memoryAvailable, .allocatableMemoryAvailable: return usage.memory.workingSet.map { Int128($0) }
        case .processesAvailable: return Int128(usage.processes ?? 0)
        case .nodeSpace, .imageSpace, .nodeInodes, .imageInodes:
            let isImage = signal == .imageSpace || signal == .imageInodes
            let countsInodes = signal == .nodeInodes || signal == .imageInodes
            var parts: [FilesystemUsage?] = []
            if isImage || !hasImageFilesystem { parts += usage.containers.map(\.layer) }
            if !isImage || !hasImageFilesystem {
                parts += usage.containers.map(\.logs)
                let local = LocalStorageRule.localVolumes(of: candidate.pod)
                parts += usage.volumes.filter { local.contains($0.name) }.map(\.filesystem)
            }
            return parts.reduce(0) { $0 + Int128((countsInodes ? $1?.inodesUsed : $1?.used) ?? 0) }
        }
    }

    /// Why the pod has to go, in the words of the kubelet.
    ///
    /// - Parameter thresholds: Those that are met now, with what was measured.
    package static func message(
        _ signal: EvictionSignal, _ candidate: EvictionCandidate, thresholds: [EvictionThreshold], _ observations: EvictionObservations
    ) -> String {
        let resource = signal.resource
        var message = "The node was low on resource: \(resource). "
        if let threshold = thresholds.first(where: { $0.signal.resource == resource }), let observed = observations[threshold.signal] {
            let available = Quantity(observed.available, format: threshold.signal.format).canonical
            message += "Threshold quantity: \(threshold.amount.quantity(of: observed.capacity).canonical), available: \(available). "
        }
        for container in candidate.usage?.containers ?? [] {
            guard let view = candidate.pod.containers.first(where: { $0.name == container.name }) else { continue }
            let used: UInt64? =
                switch resource {
                case "memory": container.memory.workingSet
                case "ephemeral-storage":
                    if let layer = container.layer?.used, let logs = container.logs?.used { layer &+ logs } else { nil }
                default: nil
                }
            let request = view.resources["requests"][resource].string.flatMap { Quantity($0) } ?? .zero
            guard let used, Int128(used) > Int128(request.value) else { continue }
            let amount = Quantity(Int64(clamping: used), format: .binary).canonical
            message +=
                "Container \(container.name) was using \(amount), request is \(request.canonical), has larger consumption of \(resource). "
        }
        return message
    }
}
