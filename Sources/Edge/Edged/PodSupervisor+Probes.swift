import PodCore
import Primitives

// When probes run. A pod without probes costs nothing here, and one with them no timer of its own.
extension PodSupervisor {
    func takeReadyProbes() -> [String] {
        defer { readyProbes = [] }
        for uid in readyProbes { entries[uid]?.probesDue = nil }
        return readyProbes
    }

    func wakeProbes(_ uid: String) {
        guard entries[uid] != nil, !readyProbes.contains(uid) else { return }
        readyProbes.append(uid)
        signal.yield()
    }

    /// Makes the tries that are due, side by side with those that still run: a slow probe holds up no other.
    func probe(_ uid: String) async {
        guard let worker = entries[uid]?.worker else { return }
        let (tries, next) = await worker.dueProbes()
        setProbesDue(uid, next)
        await withTaskGroup(of: Bool.self) { group in
            for probe in tries { group.addTask { await worker.run(probe) } }
            for await needsTurn in group {
                if needsTurn {
                    if entries[uid]?.isBusy == true { await worker.showProbes(await context.node.facts) }
                    wake(uid)
                }
                wakeProbes(uid)
            }
        }
    }

    private func setProbesDue(_ uid: String, _ due: Duration?) {
        guard let due, let entry = entries[uid] else { return }
        entries[uid]?.probesDue = min(entry.probesDue ?? due, due)
        probeAlarm.set()
    }

    /// Wakes probes to the moment; waits for nothing where no pod has any.
    func turnProbeWheel() async throws {
        while true {
            let now = clock.now().uptime
            var next: Duration?
            for (uid, entry) in entries {
                guard let due = entry.probesDue else { continue }
                if due <= now { wakeProbes(uid) } else { next = min(next ?? due, due) }
            }
            await probeAlarm.wait(until: next, clock: clock)
            try Task.checkCancellation()
        }
    }
}
