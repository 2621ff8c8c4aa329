import KubeMachinery
import Primitives

/// The sets of a deployment and how many replicas each should have next.
struct DeploymentPlan {
    static let desiredAnnotation = "deployment.kubernetes.io/desired-replicas"

    let deployment: KubeObject
    /// The set that makes the pods the deployment wants now; nil where it is still to be made.
    let current: KubeObject?
    /// The other sets, oldest first.
    let old: [KubeObject]

    /// `sets` are all that the deployment owns.
    init(_ deployment: KubeObject, sets: [KubeObject]) {
        self.deployment = deployment
        let byAge = sets.sorted {
            ($0.creationTimestamp ?? Timestamp(seconds: 0), $0.name) < ($1.creationTimestamp ?? Timestamp(seconds: 0), $1.name)
        }
        let current = byAge.first { PodTemplate.areEqual($0.spec["template"], deployment.spec["template"]) }
        self.current = current
        old = byAge.filter { $0.uid != current?.uid }
    }

    var isPaused: Bool { deployment.spec["paused"].bool == true }
    var isRecreate: Bool { deployment.spec.at("strategy", "type").string == "Recreate" }
    var wanted: Int { deployment.replicas }
    var all: [KubeObject] { old + [current].compactMap(\.self) }

    /// How many pods may be there beyond, and missing from, the wanted number; both zero would never move.
    var bounds: (surge: Int, unavailable: Int) {
        guard !isRecreate else { return (0, wanted) }
        let rolling = deployment.spec.at("strategy", "rollingUpdate")
        let surge = rolling["maxSurge"].scaled(of: wanted, roundingUp: true) ?? JSONValue.string("25%").scaled(of: wanted, roundingUp: true) ?? 1
        let unavailable =
            rolling["maxUnavailable"].scaled(of: wanted, roundingUp: false) ?? JSONValue.string("25%").scaled(of: wanted, roundingUp: false) ?? 0
        return (max(surge, 0), surge <= 0 && unavailable <= 0 ? 1 : min(max(unavailable, 0), wanted))
    }

    /// The next revision: one more than that of any other set.
    var nextRevision: Int64 {
        let others = old.compactMap(\.revision).max() ?? 0
        if let own = current?.revision, own > others { return own }
        return others + 1
    }
}

extension KubeObject {
    var revision: Int64? { annotations[PodTemplate.revision].flatMap { Int64($0) } }
    var available: Int { status["availableReplicas"].count ?? 0 }
    /// The size of the deployment that a set was last scaled for.
    var desired: Int? { annotations[DeploymentPlan.desiredAnnotation].flatMap { Int($0) } }
    var statusReplicas: Int { status["replicas"].count ?? 0 }
}

extension DeploymentPlan {
    /// Replicas by the uid of the set, only where they change.
    ///
    /// - Parameter oldPodsLeft: whether a pod of an old set is still there; `Recreate` waits for the last of them.
    func scaling(oldPodsLeft: Bool) -> [String: Int] {
        if isPaused { return resized() }
        if isRecreate {
            let oldOnes = old.filter { $0.replicas > 0 }
            if !oldOnes.isEmpty { return Dictionary(uniqueKeysWithValues: oldOnes.map { ($0.uid, 0) }) }
            guard !oldPodsLeft, let current, current.replicas != wanted else { return [:] }
            return [current.uid: wanted]
        }
        let resized = resized()
        if !resized.isEmpty { return resized }
        guard let current else { return [:] }
        let grown = grownCurrent(current)
        if grown != current.replicas { return [current.uid: grown] }
        return shrunkOld(current)
    }

    private func grownCurrent(_ current: KubeObject) -> Int {
        if current.replicas >= wanted { return wanted }
        let room = wanted + bounds.surge - all.reduce(0) { $0 + $1.replicas }
        return current.replicas + max(0, min(room, wanted - current.replicas))
    }

    /// Old sets lose first what does not work anyway, then as much as may be missing.
    private func shrunkOld(_ current: KubeObject) -> [String: Int] {
        let oldTotal = old.reduce(0) { $0 + $1.replicas }
        guard oldTotal > 0 else { return [:] }
        let minimum = wanted - bounds.unavailable
        let currentMissing = max(0, current.replicas - current.available)
        var budget = oldTotal + current.replicas - minimum - currentMissing
        guard budget > 0 else { return [:] }
        var sizes = Dictionary(uniqueKeysWithValues: old.map { ($0.uid, $0.replicas) })
        for set in old where budget > 0 {
            let broken = min(budget, max(0, set.replicas - set.available))
            sizes[set.uid, default: 0] -= broken
            budget -= broken
        }
        var spare = all.reduce(0) { $0 + $1.available } - minimum
        for set in old where spare > 0 {
            let size = sizes[set.uid] ?? 0
            let taken = min(size, spare)
            sizes[set.uid] = size - taken
            spare -= taken
        }
        return sizes.filter { uid, size in old.contains { $0.uid == uid && $0.replicas != size } }
    }

    /// After the deployment itself was scaled: its sets in proportion, the newest takes what rounding leaves.
    private func resized() -> [String: Int] {
        let active = all.filter { $0.replicas > 0 }
        guard active.count > 1 else {
            guard isPaused, let only = active.first ?? current, only.replicas != wanted else { return [:] }
            return [only.uid: wanted]
        }
        let goal = wanted == 0 ? 0 : wanted + bounds.surge
        let total = active.reduce(0) { $0 + $1.replicas }
        guard active.contains(where: { $0.desired.map { $0 != wanted } ?? false }), goal != total else { return [:] }
        var sizes: [String: Int] = [:]
        var left = goal
        for set in active {
            let size = min(left, Int((Double(set.replicas) * Double(goal) / Double(total)).rounded(.down)))
            sizes[set.uid] = size
            left -= size
        }
        if let newest = active.last { sizes[newest.uid, default: 0] += left }
        return sizes
    }
}
