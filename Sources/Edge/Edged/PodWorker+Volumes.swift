import Glibc
import KubeMachinery
import Logging
import PodCore
import Primitives

/// The volumes of a pod as they are on the disk.
struct VolumeSet: Sendable {
    var mounted: [String: MountedVolume] = [:]
    var tokens: [TokenNeed: ServiceAccountToken] = [:]
    /// What the files are made from may have changed.
    var isStale = false
    /// Uptime at which a token has to be renewed.
    var refreshAt: Duration?
}

extension PodWorker {
    /// Makes every volume ready that containers use and that is not, and brings files up to date that are stale.
    ///
    /// Tries all of them; what fails is told by events. Throws `EdgedFailure` of code `volume`.
    func mountVolumes(_ node: NodeFacts) async throws {
        let isStale = volumes.isStale
        volumes.isStale = false
        var problems = VolumeProblems()
        for volume in pod.usedVolumes {
            let name = volume["name"].string ?? ""
            let plan = VolumePlan(volume, in: pod, node: node)
            if volumes.mounted[name] != nil {
                guard isStale, case .files = plan else { continue }
            }
            do {
                if case .claim(let claim) = plan {
                    volumes.mounted[name] = try await mount(claim, as: volume, node)
                } else {
                    volumes.mounted[name] = try await mount(volume, plan, node)
                }
            } catch let error as CancellationError {
                volumes.isStale = isStale
                throw error
            } catch let failure as VolumeFailure {
                if case .claim(let claim) = plan {
                    problems.add(name, claim: "\(pod.namespace)/\(claim.name)", failure.message)
                } else {
                    problems.add(name, failure.message)
                }
            } catch {
                problems.add(name, "\(error)")
            }
        }
        guard !problems.isEmpty else { return }
        volumes.isStale = isStale
        for notice in problems.notices { record(notice) }
        throw EdgedFailure(code: .volume, message: "\(problems)")
    }

    /// Brings files up to date while the pod runs. What cannot be read now stays as it is.
    func refreshVolumes(_ node: NodeFacts) async throws {
        let now = context.clock.now().uptime
        if let due = volumes.refreshAt, due <= now {
            volumes.isStale = true
            volumes.refreshAt = nil
        }
        guard volumes.isStale || volumes.mounted.count < pod.usedVolumes.count else { return }
        do {
            try await mountVolumes(node)
        } catch let failure as EdgedFailure {
            volumes.refreshAt = min(volumes.refreshAt ?? now + .seconds(30), now + .seconds(30))
            volumes.isStale = false
            logger.info("volumes not brought up to date", metadata: ["pod": "\(key)", "error": "\(failure)"])
        }
    }

    private func mount(_ volume: JSONValue, _ plan: VolumePlan, _ node: NodeFacts) async throws -> MountedVolume {
        if case .files(let path, let onMemory) = plan {
            try await writeFiles(volume, path, onMemory: onMemory, node)
        } else {
            try await VolumeMounter(context: context, pod: pod).mount(plan)
        }
        guard let mounted = plan.mounted else { throw EdgedFailure(code: .volume, message: "a volume without a path") }
        return mounted
    }

    /// Asks what the claim stands for, and mounts that. Throws `VolumeFailure` where the claim cannot be used now.
    private func mount(_ reference: VolumeClaim, as volume: JSONValue, _ node: NodeFacts) async throws -> MountedVolume {
        let claim: KubeObject
        do {
            claim = try await context.backend.persistentVolumeClaim(ObjectKey(namespace: pod.namespace, name: reference.name))
        } catch let status as KubeStatus {
            throw VolumeFailure("failed to fetch PVC from API server: \(status.message)")
        }
        let name = try reference.volumeName(claim, for: pod)
        let persistent: KubeObject
        do {
            persistent = try await context.backend.persistentVolume(name)
        } catch let status as KubeStatus {
            throw VolumeFailure("failed to fetch PV \(name) from API server: \(status.message)")
        }
        let claimed = try ClaimedVolume(volume, reference, claim: claim, persistent: persistent, in: pod, node: node)
        var mounted = try await mount(volume, claimed.plan, node)
        mounted.group = claimed.group
        return mounted
    }

    private var group: UInt32? { pod.securityContext["fsGroup"].int.flatMap { UInt32(exactly: $0) } }

    private func writeFiles(_ volume: JSONValue, _ path: String, onMemory: Bool, _ node: NodeFacts) async throws {
        let objects = try await objects(pod.volumeObjects(volume))
        try await fetchTokens(VolumeFiles.tokens(volume, in: pod))
        let addresses = lifecycle.status["podIPs"].elements.compactMap { $0["ip"].string }
        let files = try VolumeFiles(pod: pod, node: node, objects: objects, tokens: volumes.tokens, addresses: addresses).files(volume)
        try context.makeVolumeDirectory(path)
        if onMemory { try Mounts.mountMemory(at: path, size: nil, mode: "0755") }
        let list = files.sorted { $0.key < $1.key }.map { path, file in
            AtomicDirectory.File(path: path, bytes: file.bytes, mode: file.mode, owner: file.owner.flatMap { UInt32(exactly: $0) })
        }
        let isChanged = try AtomicDirectory.write(list, in: path, group: group, now: context.clock.now())
        if isChanged { logger.debug("volume files written", metadata: ["pod": "\(key)", "path": "\(path)"]) }
    }

    /// Asks for the tokens that are missing or due; one that cannot be renewed serves as long as it has not expired.
    private func fetchTokens(_ needs: [TokenNeed]) async throws {
        for need in needs {
            let now = context.clock.now()
            if let token = volumes.tokens[need], token.refreshAt > now.uptime {
                noteRefresh(at: token.refreshAt)
                continue
            }
            do {
                let answer = try await context.backend.serviceAccountToken(
                    namespace: pod.namespace, serviceAccount: need.serviceAccount, request: need.request(for: pod))
                guard let token = ServiceAccountToken(answer, need: need, now: now) else {
                    throw VolumeFailure("failed to fetch token: the answer for service account \(need.serviceAccount) holds none")
                }
                volumes.tokens[need] = token
                // A stored token may be due already: once in 30 s is enough.
                noteRefresh(at: max(token.refreshAt, now.uptime + .seconds(30)))
            } catch let error as CancellationError {
                throw error
            } catch {
                guard let token = volumes.tokens[need], !token.isExpired(now) else { throw error }
                noteRefresh(at: now.uptime + .seconds(30))
            }
        }
    }

    private func noteRefresh(at uptime: Duration) { volumes.refreshAt = min(volumes.refreshAt ?? uptime, uptime) }

    /// Gives back what the ended pod had mounted, and its control group.
    func release(_ node: NodeFacts) async throws {
        if !context.configuration.keepsTerminatedPodVolumes {
            try Mounts.unmountAll(below: context.root.path + "/pods/\(uid)")
            try context.root.remove("pods/\(uid)/volumes")
            try context.root.remove("pods/\(uid)/volume-subpaths")
            volumes = VolumeSet()
        }
        context.cgroups.remove(node.path(pod.cgroup(node)))
        lifecycle.released()
    }
}

/// Looks whether a path of the host is what the pod takes it for (`spec/05 §19.4`).
enum HostPathCheck {
    static func check(_ path: String, _ type: VolumePlan.HostPathType) throws(EdgedFailure) {
        guard path.hasPrefix("/") else {
            throw EdgedFailure(code: .volume, message: "hostPath \"\(path)\" is not absolute", isRetryable: false)
        }
        var information = stat()
        let exists = stat(path, &information) == 0
        let kind = exists ? information.st_mode & S_IFMT : 0
        func require(_ wanted: mode_t, _ name: String) throws(EdgedFailure) {
            guard kind == wanted else { throw EdgedFailure(code: .volume, message: "hostPath type check failed: \(path) is not \(name)") }
        }
        switch type {
        case .unchecked: break
        case .directoryOrCreate:
            if exists { return try require(S_IFDIR, "a directory") }
            try OwnDirectory(path).makeDirectory(mode: 0o755)
        case .directory: try require(S_IFDIR, "a directory")
        case .fileOrCreate:
            if exists { return try require(S_IFREG, "a file") }
            try HostFiles.create([], at: path, mode: 0o644)
        case .file: try require(S_IFREG, "a file")
        case .socket: try require(S_IFSOCK, "a socket file")
        case .characterDevice: try require(S_IFCHR, "a character device")
        case .blockDevice: try require(S_IFBLK, "a block device")
        }
    }
}
