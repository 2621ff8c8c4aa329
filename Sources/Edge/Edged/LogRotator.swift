import ContainerRuntime
import Glibc
import Logging
import PodCore

/// Keeps the logs of running containers short (`spec/05 §23.2`): `LogRotation` says what becomes of which file.
///
/// Only files of the directory of the pods' logs are touched, by names and never through links (`spec/06 T30`).
struct LogRotator: Sendable {
    let context: PodContext

    /// Measures every running container's log; rotates those that are due.
    func rotate(_ containers: [ContainerState]) async throws {
        for container in containers where container.phase == .running {
            guard let log = ContainerLog(container), container.labels[ContainerLabel.podUID] != nil else { continue }
            do {
                try await look(at: log, of: container.id)
            } catch let error as CancellationError {
                throw error
            } catch {
                context.logger.warning(
                    "container log not rotated", metadata: ["log": "\(log.directory)/\(log.file)", "error": "\(error)"])
            }
        }
    }

    private func look(at log: ContainerLog, of id: String) async throws {
        var information = stat()
        guard lstat("\(context.logs.path)/\(log.directory)/\(log.file)", &information) == 0 else {
            // Somebody took the file away: the runtime writes to one that nobody can read.
            try context.logs.makeDirectory(log.directory, mode: 0o755)
            return try await context.runtime.reopenLog(id)
        }
        guard information.st_mode & S_IFMT == S_IFREG else { return }
        guard LogRotation.isDue(size: Int64(information.st_size), policy: context.configuration.garbage) else { return }
        guard let directory = try context.logs.openDirectory(log.directory) else { return }
        defer { close(directory) }
        let rotation = LogRotation(
            of: log, files: try context.logs.contents(log.directory), policy: context.configuration.garbage, now: context.clock.now().wall)
        for name in rotation.removals { try context.logs.remove("\(log.directory)/\(name)") }
        guard renameat(directory, log.file, directory, rotation.newName) == 0 else { throw EdgedFailure.last("rename", log.file) }
        do {
            try await context.runtime.reopenLog(id)
        } catch {
            // The runtime goes on writing to the old file: it keeps its name.
            if linkat(directory, rotation.newName, directory, log.file, 0) == 0 { unlinkat(directory, rotation.newName, 0) }
            throw error
        }
        context.logger.debug("container log rotated", metadata: ["log": "\(log.directory)/\(log.file)"])
        for name in rotation.compressions { try await compress(name, in: directory) }
    }

    private func compress(_ name: String, in directory: Int32) async throws {
        let target = name + LogRotation.compressedSuffix
        let temporary = target + LogRotation.temporarySuffix
        let source = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard source >= 0 else { throw EdgedFailure.last("read", name) }
        defer { close(source) }
        let output = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o640)
        guard output >= 0 else { throw EdgedFailure.last("write", temporary) }
        defer { close(output) }
        do {
            try await Gzip.compress(from: source, to: output, named: name)
            guard renameat(directory, temporary, directory, target) == 0 else { throw EdgedFailure.last("rename", temporary) }
        } catch {
            unlinkat(directory, temporary, 0)
            throw error
        }
        guard unlinkat(directory, name, 0) == 0 else { throw EdgedFailure.last("remove", name) }
    }
}
