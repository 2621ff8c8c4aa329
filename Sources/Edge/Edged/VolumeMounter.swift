import Glibc
import KubeMachinery
import PodCore
import Primitives
import Supervision

/// Makes the volumes of one pod ready that are no files of the kubelet's own: directories, disks, shares (`spec/05 §19.3–19.4, §19.11–19.13`).
///
/// Whatever is ready already stays as it is, so that it serves after a restart of the agent too.
struct VolumeMounter: Sendable {
    let context: PodContext
    let pod: PodView

    func mount(_ plan: VolumePlan) async throws {
        switch plan {
        case .emptyDirectory(let path, let medium, let limit): try makeEmptyDirectory(path, medium, limit)
        case .hostPath(let path, let type, _): try HostPathCheck.check(path, type)
        case .local(let source, let path, let fileSystem, let options, let isReadOnly):
            if Mounts.isMounted(path) { return }
            try await mountLocal(source, at: path, fileSystem, options, isReadOnly)
            // A volume that is only read is not ours to change.
            if !isReadOnly { try await handOver(path) }
        case .nfs(let server, let export, let path, let options, let isReadOnly):
            if Mounts.isMounted(path) { return }
            try context.makeVolumeDirectory(path)
            try await NFSMount(server: server, export: export, options: options + (isReadOnly ? ["ro"] : [])).mount(at: path)
        case .device(let path, _): try HostPathCheck.check(path, .blockDevice)
        case .unsupported(let sentence): throw EdgedFailure(code: .volume, message: sentence, isRetryable: false)
        case .files, .claim: throw EdgedFailure(code: .volume, message: "a volume of files is written, not mounted", isRetryable: false)
        }
    }

    private func handOver(_ path: String) async throws {
        guard let ownership = VolumeOwnership(pod, isReadOnly: false) else { return }
        try await VolumeGroup.give(path, ownership)
    }

    /// A directory that is there already keeps its owner and mode: the pod may have changed them.
    private func makeEmptyDirectory(_ path: String, _ medium: VolumePlan.Medium, _ limit: Int64?) throws {
        let ownership = VolumeOwnership(pod, isReadOnly: false)
        let mode: UInt32 = ownership == nil ? 0o777 : 0o2777
        if medium != .disk, Mounts.isMounted(path) { return }
        if medium == .disk {
            if HostFiles.exists(path) { return }
            // It gets its name last, so that a half-made one is never taken for the pod's.
            let parent = path.split(separator: "/").dropLast().joined(separator: "/")
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            let draft = "/\(parent)/..new-\(name)"
            try context.makeVolumeDirectory(draft)
            try Self.set(mode, ownership?.group, of: draft)
            guard rename(draft, path) == 0 else { throw EdgedFailure.last("name", path) }
            return
        }
        try context.makeVolumeDirectory(path)
        switch medium {
        case .memory: try Mounts.mountMemory(at: path, size: limit, mode: String(mode, radix: 8))
        case .hugePages(let size): try Mounts.mountHugePages(at: path, pageSize: size)
        case .disk: break
        }
        try Self.set(mode, ownership?.group, of: path)
    }

    private static func set(_ mode: UInt32, _ group: UInt32?, of path: String) throws {
        if let group, lchown(path, .max, group) != 0 { throw EdgedFailure.last("set the owner of", path) }
        guard chmod(path, mode) == 0 else { throw EdgedFailure.last("set the mode of", path) }
    }

    private func mountLocal(_ source: String, at path: String, _ fileSystem: String?, _ options: [String], _ isReadOnly: Bool) async throws {
        var information = stat()
        guard source.hasPrefix("/"), !source.split(separator: "/").contains(".."), stat(source, &information) == 0 else {
            throw EdgedFailure(
                code: .volume,
                message: "path \"\(source)\" does not exist: make it on node \(context.configuration.nodeName), or correct the persistent volume")
        }
        switch information.st_mode & S_IFMT {
        case S_IFDIR:
            try context.makeVolumeDirectory(path)
            try Mounts.bind(source, to: path, isReadOnly: isReadOnly)
        case S_IFBLK:
            try context.makeVolumeDirectory(path)
            let type = fileSystem.flatMap { $0.isEmpty ? nil : $0 }
            let result = try await HelperProgram.mount(
                source, at: path, type: type, options: options + (isReadOnly ? ["ro"] : []), limit: .seconds(120))
            guard result.status != 0 else { return }
            throw EdgedFailure(
                code: .volume,
                message: "disk \(source) was not mounted: \(result.output). A disk is never formatted here: make a file system on it first "
                    + "(mkfs.\(type ?? "ext4") \(source)), or use volumeMode Block")
        default:
            throw EdgedFailure(code: .volume, message: "path \"\(source)\" of a local volume is neither a directory nor a disk")
        }
    }
}

extension PodContext {
    /// Makes a directory for a volume; refuses what is not beneath the kubelet's own.
    func makeVolumeDirectory(_ path: String) throws(EdgedFailure) {
        let prefix = root.path + "/"
        guard path.hasPrefix(prefix) else {
            throw EdgedFailure(code: .unsafePath, message: "\(path) is not beneath \(root.path)", isRetryable: false)
        }
        try root.makeDirectory(String(path.dropFirst(prefix.count)), mode: 0o755)
    }
}

extension HelperProgram {
    /// Runs `mount`; the options as in `-o`.
    static func mount(_ source: String, at path: String, type: String?, options: [String], isInternal: Bool = false, limit: Duration) async throws
        -> Result
    {
        guard let program = find("mount") else {
            throw EdgedFailure(code: .volume, message: "there is no mount program on this node: install the package mount (util-linux)")
        }
        var words = isInternal ? ["-i"] : []
        if let type { words += ["-t", type] }
        if !options.isEmpty { words += ["-o", options.joined(separator: ",")] }
        return try await HelperProgram(program, words + [source, path]).run(limit: limit)
    }
}
