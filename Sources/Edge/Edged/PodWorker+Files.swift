import Glibc
import Logging
import PodCore
import Primitives

extension PodWorker {
    /// The directories of a pod (`spec/05 §2.6, §8.6`). What cannot be made shows itself when it is used.
    func makeDirectories(_ node: NodeFacts) {
        do {
            try context.root.makeDirectory("pods/\(uid)/volumes")
            try context.root.makeDirectory("pods/\(uid)/plugins")
            try context.root.makeDirectory("pods/\(uid)/containers")
            try context.logs.makeDirectory(mode: 0o755)
            for container in pod.allContainers { try context.logs.makeDirectory("\(logName)/\(container.name)", mode: 0o755) }
        } catch {
            record(.directoriesFailed("\(error)"))
            logger.warning("pod directories not made", metadata: ["pod": "\(key)", "error": "\(error)"])
        }
    }

    /// The pod's directory below the logs.
    var logName: String { "\(pod.namespace)_\(pod.name)_\(uid)" }

    /// The highest restart count that the log directory tells of, plus one; 0 where there is no log (`spec/05 §12.5`).
    func nextAttemptFromLogs(_ container: String, _ node: NodeFacts) -> UInt32 {
        let names = (try? context.logs.contents("\(logName)/\(container)")) ?? []
        let counts = names.compactMap { name in name.hasSuffix(".log") ? UInt32(name.dropLast(4)) : nil }
        return counts.max().map { $0 &+ 1 } ?? 0
    }

    /// The name that log collectors know a container's log by (`spec/05 §8.7`).
    func linkLog(_ container: String, id: String, logFile: String) {
        let directory = context.configuration.containerLogDirectory
        guard !directory.isEmpty, HostFiles.exists(logFile) else { return }
        mkdir(directory, 0o755)
        let link = "\(directory)/\(logLinkName(container, id))"
        if symlink(logFile, link) != 0, errno != EEXIST {
            logger.debug("log link not made", metadata: ["path": "\(link)", "error": "\(String(cString: strerror(errno)))"])
        }
    }

    private func logLinkName(_ container: String, _ id: String) -> String {
        "\(pod.name)_\(pod.namespace)_\(container)-\(id).log"
    }

    /// Removes what the pod has on the disk: its directory, its logs and the links to them.
    func removeFiles() {
        do {
            if Mounts.points(below: context.root.path + "/pods/\(uid)").isEmpty { try context.root.remove("pods/\(uid)") }
            try context.logs.remove(logName)
            LogLinks(context).removeDead()
        } catch {
            logger.warning("files of a pod stay", metadata: ["pod": "\(key)", "error": "\(error)"])
        }
    }
}
