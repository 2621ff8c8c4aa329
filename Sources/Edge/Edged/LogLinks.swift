import Glibc
import Logging
import PodCore

/// The names that log collectors know the containers' logs by: links in a directory of many owners (`spec/05 §8.7, §24.3`).
///
/// Only links that point below the directory of the pods' logs, to what is not there any more, are removed.
struct LogLinks: Sendable {
    private let context: PodContext

    init(_ context: PodContext) { self.context = context }

    func removeDead() { remove { _ in true } }
    func remove(endingIn suffix: String) { remove { $0.hasSuffix(suffix) } }

    private func remove(_ isMeant: (String) -> Bool) {
        let directory = context.configuration.containerLogDirectory
        guard !directory.isEmpty else { return }
        do {
            let links = try OwnDirectory(directory)
            for name in try links.contents() where isMeant(name) {
                guard let target = HostFiles.linkTarget("\(directory)/\(name)"), target.hasPrefix(context.logs.path + "/"),
                    !HostFiles.exists("\(directory)/\(name)")
                else { continue }
                try links.remove(name)
            }
        } catch {
            context.logger.warning("links to logs of gone containers stay", metadata: ["error": "\(error)"])
        }
    }
}
