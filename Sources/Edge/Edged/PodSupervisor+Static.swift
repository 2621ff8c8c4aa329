import KubeMachinery
import Logging
import PodCore
import Primitives

/// What the supervisor knows of the manifests of the node and of their mirrors in the cluster.
struct StaticPods {
    var source: StaticPodSource
    var mirrors = MirrorPods()
    private var isMirroring = false
    private var isMirrorTurnDue = false
    private var mirrorRetryAt = Duration.zero

    init(_ configuration: EdgedConfiguration) {
        source = StaticPodSource(
            path: configuration.staticPodPath, node: configuration.nodeName, interval: configuration.fileCheckInterval)
    }

    /// Whether mirrors may be made or taken away now; one round at a time.
    func isFree(_ now: Duration) -> Bool { !isMirroring && !isMirrorTurnDue && now >= mirrorRetryAt }

    mutating func askForMirrorTurn() { isMirrorTurnDue = true }

    mutating func takeMirrorTurn() -> Bool {
        guard isMirrorTurnDue else { return false }
        isMirrorTurnDue = false
        isMirroring = true
        return true
    }

    /// A round has ended; the next one begins at `retryAt` at the earliest.
    mutating func mirrorTurnEnded(retryAt: Duration) {
        isMirroring = false
        mirrorRetryAt = retryAt
    }
}

/// Static pods run for the sake of their files alone; the cluster sees mirrors of them (`spec/05 §28`).
extension PodSupervisor {
    // MARK: - Files

    func readManifests(_ now: Duration) async {
        guard let change = statics.source.look(now: now) else { return }
        for problem in change.problems {
            logger.error("static pod file is bad", metadata: ["problem": "\(problem)"])
            context.events.record(
                KubeletEvent(.node(context.configuration.nodeName), .warning, reason: "FailedValidation", message: "static pod file \(problem)"))
        }
        let wanted = Set(change.pods.map(\.uid))
        for (uid, entry) in entries where entry.isStatic && !wanted.contains(uid) {
            logger.info("static pod is not wanted any more", metadata: ["pod": "\(entry.worker.key)", "uid": "\(uid)"])
            await dismiss(uid)
        }
        for pod in change.pods { await take(manifest: pod) }
    }

    /// Starts a static pod, or tells its worker what changed. An earlier pod of the same name ends first.
    func take(manifest pod: KubeObject) async {
        if let entry = entries[pod.uid] {
            guard !entry.isDismissed else {
                entries[pod.uid]?.successor = pod
                return
            }
            if case .changed = await entry.worker.update(pod) { wake(pod.uid) }
            return
        }
        if let earlier = entries.first(where: { $0.value.isStatic && $0.value.worker.key == pod.key }) {
            await dismiss(earlier.key)
            // It may have gone meanwhile.
            if entries[earlier.key] != nil {
                entries[earlier.key]?.successor = pod
                return
            }
        }
        logger.info("static pod starts", metadata: ["pod": "\(pod.key)", "uid": "\(pod.uid)"])
        await start(pod, isStatic: true)
        if let mirror = statics.mirrors.mirror(of: pod) { _ = await entries[pod.uid]?.worker.update(mirror: mirror) }
    }

    // MARK: - Mirrors

    func take(mirror: KubeObject) async {
        statics.mirrors.set(mirror)
        await tellWorker(of: mirror.key)
    }

    /// Whether what is gone was a mirror.
    func removeMirror(_ key: ObjectKey, uid: String) async -> Bool {
        guard statics.mirrors.remove(key, uid: uid) else { return false }
        await tellWorker(of: key)
        return true
    }

    /// The cluster has these pods and no others.
    func keepMirrors(_ uids: Set<String>) async {
        for (key, mirror) in statics.mirrors.known where !uids.contains(mirror.uid) { _ = await removeMirror(key, uid: mirror.uid) }
    }

    private func tellWorker(of key: ObjectKey) async {
        for (uid, entry) in entries where entry.isStatic && entry.worker.key == key {
            let mirror = statics.mirrors.mirror(of: await entry.worker.pod.object)
            if await entry.worker.update(mirror: mirror) { wake(uid) }
        }
    }

    /// What is to be done about mirrors, once files and pods are known.
    private func mirrorDirectives() async -> [MirrorPods.Directive] {
        guard statics.source.isKnown, hasSeenPods else { return [] }
        var wanted: [KubeObject] = []
        var ending: Set<ObjectKey> = []
        for entry in entries.values where entry.isStatic {
            if entry.isDismissed { ending.insert(entry.worker.key) } else { wanted.append(await entry.worker.pod.object) }
        }
        guard !wanted.isEmpty || !statics.mirrors.known.isEmpty else { return [] }
        let facts = await context.node.facts
        return statics.mirrors.directives(wanted: wanted, ending: ending, node: facts.name, nodeUID: facts.uid)
    }

    /// Asks for a round where one is due.
    func areMirrorsDue(_ now: Duration) async -> Bool {
        guard statics.isFree(now) else { return false }
        let directives = await mirrorDirectives()
        guard !directives.isEmpty, statics.isFree(now) else { return false }
        statics.askForMirrorTurn()
        return true
    }

    /// Makes and takes away what is due; what fails is tried again after ten seconds.
    func updateMirrors() async {
        var mustWait = false
        for directive in await mirrorDirectives() {
            do {
                switch directive {
                case .create(let mirror):
                    _ = try await context.backend.createPod(mirror)
                    logger.info("mirror of a static pod made", metadata: ["pod": "\(mirror.key)"])
                    // The cluster tells of it by itself; until then it is not made again.
                    mustWait = true
                case .delete(let key, let uid):
                    try await context.backend.deletePod(key, uid: uid)
                    statics.mirrors.deletionAccepted(uid)
                    logger.info("mirror of a static pod taken away", metadata: ["pod": "\(key)", "uid": "\(uid)"])
                }
            } catch {
                mustWait = true
                logger.debug("mirror of a static pod not updated", metadata: ["error": "\(error)"])
            }
        }
        let now = clock.now().uptime
        statics.mirrorTurnEnded(retryAt: mustWait ? now + .seconds(10) : now)
    }
}
