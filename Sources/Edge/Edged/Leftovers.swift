import Logging
import PodCore

/// Directories and logs of pods that nobody knows any more (`spec/05 §19.15, §24.3`).
///
/// Only called once the wanted pods and the runtime's lists are known; only what lies beneath the kubelet's own directories goes.
/// Control groups of pods without a directory here stay: another kubelet of this machine may use the same tree.
struct Leftovers {
    private let context: PodContext

    init(_ context: PodContext) { self.context = context }

    /// Removes everything of pods whose UID is not in `known`. What cannot be removed keeps nothing else from going.
    func remove(known: Set<String>) {
        for uid in names(in: context.root, "pods") where !known.contains(uid) {
            attempt("directory of an unknown pod", uid) {
                try Mounts.unmountAll(below: "\(context.root.path)/pods/\(uid)")
                try context.root.remove("pods/\(uid)")
                // The directory was ours, so the group is.
                context.cgroups.removePod(uid, context.configuration)
                context.logger.info("directory of an unknown pod removed", metadata: ["uid": "\(uid)"])
            }
        }
        for name in names(in: context.logs) {
            // `<namespace>_<name>_<uid>`, none of which has an underscore in it.
            let parts = name.split(separator: "_", omittingEmptySubsequences: false)
            guard parts.count == 3, !known.contains(String(parts[2])) else { continue }
            attempt("logs of an unknown pod", name) { try context.logs.remove(name) }
        }
        LogLinks(context).removeDead()
    }

    /// What cannot be read holds nothing that could be removed.
    private func names(in directory: OwnDirectory, _ relative: String? = nil) -> [String] { (try? directory.contents(relative)) ?? [] }

    private func attempt(_ what: String, _ name: String, _ body: () throws -> Void) {
        do { try body() } catch {
            context.logger.warning("clean-up failed", metadata: ["what": "\(what)", "name": "\(name)", "error": "\(error)"])
        }
    }
}
