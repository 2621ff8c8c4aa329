/// Why the volumes of a pod are not ready, in the words that users look for (`FailedMount`).
package struct VolumeProblems: Sendable, Hashable, CustomStringConvertible {
    private struct Problem: Hashable {
        var volume: String
        var message: String
        /// It is not known yet what the volume is made of.
        var isUnresolved: Bool
    }

    private var problems: [Problem] = []

    package init() {}

    package var isEmpty: Bool { problems.isEmpty }

    /// The volume could not be made ready.
    package mutating func add(_ volume: String, _ message: String) {
        problems.append(Problem(volume: volume, message: message, isUnresolved: false))
    }

    /// The claim of the volume leads to no persistent volume that can be used now.
    package mutating func add(_ volume: String, claim: String, _ message: String) {
        problems.append(Problem(volume: volume, message: "error processing PVC \(claim): \(message)", isUnresolved: true))
    }

    /// What users are told.
    package var notices: [KubeletNotice] {
        var notices = problems.filter { !$0.isUnresolved }.map { KubeletNotice.mountFailed($0.volume, $0.message) }
        if problems.contains(where: \.isUnresolved) {
            notices.append(KubeletNotice(.warning, "FailedMount", "Unable to attach or mount volumes: \(description)"))
        }
        return notices
    }

    /// `unmounted volumes=[a b], unattached volumes=[], failed to process volumes=[b]: …`.
    package var description: String {
        let unresolved = problems.filter(\.isUnresolved)
        func list(_ problems: [Problem]) -> String { "[\(problems.map(\.volume).sorted().joined(separator: " "))]" }
        let detail = (unresolved.isEmpty ? problems : unresolved).map(\.message).joined(separator: ", ")
        return "unmounted volumes=\(list(problems)), unattached volumes=[], failed to process volumes=\(list(unresolved)): \(detail)"
    }
}
