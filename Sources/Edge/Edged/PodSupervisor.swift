import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

/// All pods of the node: one worker each, one turn at a time for each, and one wheel that wakes those that are due.
///
/// A pod at rest costs a dictionary entry: no task, no timer. Turns of different pods run side by side, so a pod that hangs
/// holds up nobody else. The runtime's lists are read once a relist interval and compared with what each pod saw last.
actor PodSupervisor {
    /// What the supervisor knows of a worker between its turns.
    struct Entry {
        let worker: PodWorker
        /// Uptime of the next turn when nothing happens before; nil while a turn runs.
        var due: Duration?
        /// A turn runs, or the pod is being admitted.
        var isBusy = false
        /// Something happened during the turn: another one follows at once.
        var isDirty = false
        /// What the runtime had of the pod when it was last looked at.
        var fingerprint: Int?
        var references: Set<ConfigurationChange> = []
        /// A pod with the same UID that came after this one had been given up; it starts once this one is gone.
        var successor: KubeObject?
        var probesDue: Duration?
        /// From a file of the node: the cluster has no say in it.
        var isStatic = false
        /// Given up: it only ends.
        var isDismissed = false
        /// Whether its local storage is limited and has to be measured.
        var hasStorageLimits = false
        /// What a burstable pod asks for of the processor, thousandths of a core.
        var burstableCPU: Int64 = 0
    }

    let context: PodContext
    var entries: [String: Entry] = [:]
    var statics: StaticPods
    private var ready: [String] = []
    var readyProbes: [String] = []
    var admissions: [String] = []
    /// A probe may be due earlier than the probe wheel thinks.
    let probeAlarm = Signal()
    private(set) var hasSeenPods = false
    /// Whether a pod that is not known is one that nobody wants.
    private var knowsAllPods = false
    private let signals: AsyncStream<Void>
    let signal: AsyncStream<Void>.Continuation
    /// One for each time to read the runtime's lists; while they are being read one more is kept.
    private let relists: AsyncStream<Void>
    private let askForLists: AsyncStream<Void>.Continuation
    private(set) var lastRelist: Duration?
    private var pace: RelistPace
    /// Uptime at which the wheel began its last tick.
    private(set) var lastTick: Duration?
    private var sweptAt: Duration?
    /// What burstable pods were given of the processor together.
    private var burstableCPU: Int64?

    var clock: any MomentSource { context.clock }
    var logger: Logger { context.logger }

    init(_ context: PodContext) {
        self.context = context
        statics = StaticPods(context.configuration)
        // One pending signal is enough: whoever hears it takes everything that is ready.
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        pace = RelistPace(interval: context.configuration.relistInterval)
        (relists, askForLists) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await self.followPods() }
            group.addTask { await self.followConfiguration() }
            group.addTask { try await self.turnWheel() }
            group.addTask { for await _ in self.relists { await self.relist() } }
            group.addTask { try await self.turnProbeWheel() }
            for await _ in signals {
                for uid in takeAdmissions() { group.addTask { await self.admit(uid) } }
                for uid in takeReady() { group.addTask { await self.takeTurn(uid) } }
                for uid in takeReadyProbes() { group.addTask { await self.probe(uid) } }
                if statics.takeMirrorTurn() { group.addTask { await self.updateMirrors() } }
            }
            group.cancelAll()
        }
        try Task.checkCancellation()
    }

    // MARK: - Turns

    private func takeReady() -> [String] {
        defer { ready = [] }
        for uid in ready {
            entries[uid]?.isBusy = true
            entries[uid]?.isDirty = false
            entries[uid]?.due = nil
        }
        return ready
    }

    private func takeTurn(_ uid: String) async {
        guard let worker = entries[uid]?.worker else { return }
        let begin = clock.now().uptime
        let outcome = await worker.turn(await context.node.facts)
        context.meter.record(.turn(clock.now().uptime - begin))
        guard var entry = entries[uid] else { return }
        entry.isBusy = false
        entry.fingerprint = outcome.fingerprint
        if outcome.isGone {
            entries[uid] = nil
            context.meter.record(.podGone(uid: uid))
            if let successor = entry.successor { await (entry.isStatic ? take(manifest: successor) : take(successor)) }
            return
        }
        entry.due = outcome.wakeUp
        entries[uid] = entry
        if entry.isDirty { wake(uid) }
        if outcome.probesDue != nil { wakeProbes(uid) }
    }

    /// The pod gets a turn now, or right after the one that runs.
    func wake(_ uid: String) {
        guard let entry = entries[uid] else { return }
        if entry.isBusy {
            entries[uid]?.isDirty = true
        } else if !ready.contains(uid) {
            ready.append(uid)
            signal.yield()
        }
    }

    // MARK: - What the cluster wants

    private func followPods() async {
        // A stream that ends has lost changes: the next one begins with the whole set.
        while !Task.isCancelled {
            for await change in await context.backend.pods() { await accept(change) }
        }
    }

    private func accept(_ change: PodChange) async {
        pace.noteNews(clock.now().uptime)
        switch change {
        case .set(let pods):
            for pod in pods { await take(pod) }
            let wanted = Set(pods.map(\.uid))
            for (uid, entry) in entries where !wanted.contains(uid) && !entry.isStatic { await dismiss(uid) }
            await keepMirrors(wanted)
            (hasSeenPods, knowsAllPods) = (true, true)
        case .known(let pods):
            for pod in pods { await take(pod) }
            (hasSeenPods, knowsAllPods) = (true, false)
        case .upsert(let pod): await take(pod)
        case .remove(let key, let uid):
            if await removeMirror(key, uid: uid) { return }
            for (other, entry) in entries where !entry.isStatic && (other == uid || (uid.isEmpty && entry.worker.key == key)) {
                await dismiss(other)
            }
        }
    }

    private func take(_ pod: KubeObject) async {
        guard !pod.uid.isEmpty, pod.spec["nodeName"].string == context.configuration.nodeName else { return }
        if PodView(pod).isMirror { return await take(mirror: pod) }
        if let entry = entries[pod.uid] {
            entries[pod.uid]?.references = Self.references(pod)
            switch await entry.worker.update(pod) {
            case .unchanged: break
            case .changed: wake(pod.uid)
            case .tooLate: entries[pod.uid]?.successor = pod
            }
            return
        }
        // The same name with another UID: the earlier pod is gone.
        for (uid, entry) in entries where entry.worker.key == pod.key && !entry.isStatic { await dismiss(uid) }
        await start(pod)
    }

    /// Gives a pod that is new here a worker, admitted or refused.
    func start(_ pod: KubeObject, isStatic: Bool = false) async {
        let worker = PodWorker(pod, context)
        let view = PodView(pod)
        entries[pod.uid] = Entry(
            worker: worker, isBusy: true, references: Self.references(pod), isStatic: isStatic, hasStorageLimits: LocalStorageRule.applies(to: view),
            burstableCPU: view.qualityOfService == .burstable ? view.effectiveRequests["cpu"] ?? 0 : 0)
        await admit(view, worker)
    }

    /// The configMaps and secrets that a pod is made from.
    private static func references(_ pod: KubeObject) -> Set<ConfigurationChange> {
        let view = PodView(pod)
        return Set(
            view.allObjects.map { reference in
                let key = ObjectKey(namespace: view.namespace, name: reference.name)
                return reference.kind == .configMap ? .configMap(key) : .secret(key)
            })
    }

    func dismiss(_ uid: String) async {
        entries[uid]?.successor = nil
        entries[uid]?.isDismissed = true
        guard let entry = entries[uid] else { return }
        await entry.worker.remove()
        wake(uid)
    }

    private func followConfiguration() async {
        while !Task.isCancelled {
            for await change in await context.backend.configurationChanges() {
                await refreshFiles { $0.contains(change) }
            }
            // This reader has fallen behind: whatever was missed is looked at.
            if !Task.isCancelled { await refreshFiles { !$0.isEmpty } }
        }
    }

    private func refreshFiles(of isConcerned: (Set<ConfigurationChange>) -> Bool) async {
        for (uid, entry) in entries where isConcerned(entry.references) {
            await entry.worker.configurationChanged()
            wake(uid)
        }
    }

    // MARK: - What the runtime has

    /// Ticks once a relist interval: has the lists read, wakes who is due. A runtime that does not answer stops no clock.
    private func turnWheel() async throws {
        var next = clock.now().uptime
        while true {
            lastTick = clock.now().uptime
            if pace.isDue(clock.now().uptime) { askForLists.yield() }
            await shareOut()
            let now = clock.now().uptime
            await readManifests(now)
            if await areMirrorsDue(now) { signal.yield() }
            for (uid, entry) in entries {
                if let due = entry.due, due <= now { wake(uid) }
            }
            next = max(next + context.configuration.relistInterval, now)
            try await clock.wait(until: next)
        }
    }

    private func relist() async {
        do {
            let begin = clock.now().uptime
            let sandboxes = try await context.runtime.sandboxes(ofPod: nil)
            let containers = try await context.runtime.containers(ofPod: nil)
            let end = clock.now().uptime
            context.meter.record(.relist(duration: end - begin, interval: lastRelist.map { end - $0 }))
            lastRelist = end
            compare(RuntimeList(sandboxes: sandboxes, containers: containers))
        } catch {
            logger.debug("runtime lists not read", metadata: ["error": "\(error)"])
        }
    }

    private func compare(_ list: RuntimeList) {
        for (uid, entry) in entries where !entry.isBusy {
            guard let seen = entry.fingerprint, seen != list.fingerprints[uid, default: 0] else { continue }
            pace.noteNews(clock.now().uptime)
            wake(uid)
        }
        guard knowsAllPods, statics.source.isKnown else { return }
        for uid in list.fingerprints.keys where entries[uid] == nil {
            guard let pod = list.pod(uid) else { continue }
            logger.info("pod runs that nobody wants", metadata: ["pod": "\(pod.key)", "uid": "\(uid)"])
            context.meter.record(.orphanFound)
            entries[uid] = Entry(worker: PodWorker(orphan: pod, context))
            wake(uid)
        }
        sweep(known: Set(entries.keys).union(list.fingerprints.keys))
    }

    /// Takes away what pods left behind that went while the agent was away: at the start, then every five minutes.
    private func sweep(known: Set<String>) {
        let now = clock.now().uptime
        if let sweptAt, now - sweptAt < .seconds(300) { return }
        sweptAt = now
        Leftovers(context).remove(known: known)
    }

    // MARK: - Usage

    func worker(_ uid: String) -> PodWorker? { entries[uid]?.worker }
    func measuredWorkers(withStorageLimits: Bool) -> [PodWorker] {
        entries.values.filter { $0.hasStorageLimits || !withStorageLimits }.map(\.worker)
    }

    /// Gives burstable pods their processor time when they come and go (`spec/05 §21.7`).
    private func shareOut() async {
        let wanted = entries.values.reduce(0) { $0 + $1.burstableCPU }
        guard wanted != burstableCPU else { return }
        burstableCPU = wanted
        context.cgroups.shareOut(burstable: wanted, await context.node.facts)
    }

    /// What each wanted pod means for what may be taken away; nil until the wanted pods are known.
    func standings() async -> [String: PodStanding]? {
        guard hasSeenPods else { return nil }
        var standings: [String: PodStanding] = [:]
        for (uid, entry) in entries { standings[uid] = await entry.worker.standing }
        return standings
    }

    /// The workers of all pods, those on their way out too.
    var workers: [PodWorker] { entries.values.map(\.worker) }

    /// How many pods there are, and how many of them are in a turn.
    var counts: (pods: Int, busy: Int) { (entries.count, entries.values.count { $0.isBusy }) }
}
