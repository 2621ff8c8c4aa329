import Logging
import PodCore

/// Directories and logs of pods that nobody knows any more (`spec/05 §19.15, §24.3`).
///
/// Only called once the wanted pods and the runtime's lists are known; only what lies beneath the kubelet's own directories goes.
/// Control groups of pods without a directory here stay: another kubelet of this machine may use the same tree.
struct Leftovers {
    private let context: PodContext

    init(_ context: PodContext) { self.context = context }

    /// Removes everything of pods whose UID is not in `known`.
    func remove(known: Set<String>) {
        do {
            for uid in try context.root.contents("pods") where !known.contains(uid) {
                for point in Mounts.points(below: "\(context.root.path)/pods/\(uid)") { try Mounts.unmount(point) }
                try context.root.remove("pods/\(uid)")
                // The directory was ours, so the group is.
                context.cgroups.removePod(uid, context.configuration)
                context.logger.info("directory of an unknown pod removed", metadata: ["uid": "\(uid)"])
            }
            for name in try context.logs.contents() {
                // `<namespace>_<name>_<uid>`, none of which has an underscore in it.
                let parts = name.split(separator: "_", omittingEmptySubsequences: false)
                guard parts.count == 3, !known.contains(String(parts[2])) else { continue }
                try context.logs.remove(name)
            }
        } catch {
            context.logger.warning("files of unknown pods stay", metadata: ["error": "\(error)"])
        }
    }
}
