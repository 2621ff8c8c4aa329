import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

/// Rotates logs and takes away what is not needed any more: ended containers, unused images (`spec/05 §23.2, §24`).
///
/// One timer for everything: each round measures the logs of running containers, each sixth looks for ended ones, each thirtieth at the
/// images. Nothing of pods is removed before the wanted pods are known.
actor GarbageCollector: DiskReclaimer {
    private static let containerRounds = 6
    private static let imageRounds = 30

    private let context: PodContext
    /// The wanted pods by UID; nil until they are known.
    private let pods: @Sendable () async -> [String: PodStanding]?
    /// Bytes of the file system that holds a path.
    private let space: @Sendable (String) -> (capacity: Int64, available: Int64)?
    private var images = ImageGarbage()
    private var hasFailed = false

    init(
        _ context: PodContext, pods: @escaping @Sendable () async -> [String: PodStanding]?,
        space: @escaping @Sendable (String) -> (capacity: Int64, available: Int64)? = { path in
            Mounts.space(path).map { ($0.capacity, $0.available) }
        }
    ) {
        self.context = context
        self.pods = pods
        self.space = space
    }

    func run() async throws {
        let interval = context.configuration.housekeepingInterval
        var next = context.clock.now().uptime
        var round = 0
        while true {
            next = max(next + interval, context.clock.now().uptime)
            try await context.clock.wait(until: next)
            try await perform(round)
            round &+= 1
        }
    }

    private func perform(_ round: Int) async throws {
        do {
            let containers = try await context.runtime.containers(ofPod: nil)
            try await LogRotator(context: context).rotate(containers)
        } catch let error as CancellationError {
            throw error
        } catch {
            context.logger.debug("logs not looked at", metadata: ["error": "\(error)"])
        }
        if round % Self.containerRounds == 0 { await collectContainers() }
        if round % Self.imageRounds == 0 { await collectImages() }
    }

    private func warn(_ reason: String, _ message: String) {
        context.logger.warning("clean-up failed", metadata: ["reason": "\(reason)", "message": "\(message)"])
        context.events.record(KubeletEvent(.node(context.configuration.nodeName), .warning, reason: reason, message: message))
    }

    // MARK: - Containers

    private func collectContainers() async {
        do {
            guard let pods = await pods() else { return }
            let containers = try await context.runtime.containers(ofPod: nil)
            let removals = ContainerGarbage.containers(
                containers, of: pods, policy: context.configuration.garbage, now: context.clock.now().wall)
            try await remove(removals, of: containers, pods)
        } catch is CancellationError {
        } catch {
            warn("ContainerGCFailed", "\(error)")
        }
    }

    func removeDeadContainers() async throws {
        guard let pods = await pods() else { return }
        let containers = try await context.runtime.containers(ofPod: nil)
        try await remove(ContainerGarbage.everyDead(containers, of: pods, now: context.clock.now().wall), of: containers, pods)
    }

    /// Tries all of them and throws the first failure.
    private func remove(_ dead: [ContainerState], of containers: [ContainerState], _ pods: [String: PodStanding]) async throws {
        var failure: (any Error)?
        var gone: Set<String> = []
        for container in dead {
            do {
                try await context.removeDead(container)
                gone.insert(container.id)
            } catch {
                failure = failure ?? error
            }
        }
        let left = containers.filter { !gone.contains($0.id) }
        for sandbox in ContainerGarbage.sandboxes(try await context.runtime.sandboxes(ofPod: nil), containers: left, of: pods) {
            do {
                try await context.runtime.stopSandbox(sandbox.id)
                try await context.runtime.removeSandbox(sandbox.id)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    // MARK: - Images

    private func collectImages() async {
        do {
            guard let pods = await pods() else { return }
            let list = try await look(pods)
            guard let place = try await context.runtime.imageFilesystems().first?.mountPoint, let space = space(place) else { return }
            if space.capacity <= 0 {
                return warn("InvalidDiskCapacity", "invalid capacity \(space.capacity) on image filesystem")
            }
            let policy = context.configuration.garbage
            if let excess = ImageGarbage.excess(capacity: space.capacity, available: space.available, policy: policy) {
                try await free(excess, of: list)
            }
            hasFailed = false
        } catch is CancellationError {
        } catch {
            context.logger.warning("images not cleaned up", metadata: ["error": "\(error)"])
            // A single failure may be a moment's trouble.
            if hasFailed { warn("ImageGCFailed", "\(error)") }
            hasFailed = true
        }
    }

    func removeUnusedImages() async throws {
        guard let pods = await pods() else { return }
        let list = try await look(pods)
        if let failure = try await removeImages(of: list, upTo: .max).failure { throw failure }
    }

    /// Notes what is used now; returns what is there.
    private func look(_ pods: [String: PodStanding]) async throws -> [ImageState] {
        let list = try await context.runtime.images()
        var used: Set<String> = [context.configuration.garbage.sandboxImage]
        for container in try await context.runtime.containers(ofPod: nil) { used.formUnion([container.image, container.imageReference]) }
        for pod in pods.values where !pod.hasEnded { for image in pod.images { used.formUnion(ImageReference.spellings(image)) } }
        images.look(list, used: used, now: context.clock.now())
        return list
    }

    private func free(_ bytes: Int64, of list: [ImageState]) async throws {
        let result = try await removeImages(of: list, upTo: bytes)
        if result.freed < bytes {
            warn(
                "FreeDiskSpaceFailed",
                "Failed to garbage collect required amount of images. Attempted to free \(bytes) bytes, "
                    + "but only found \(result.freed) bytes eligible to free.")
        }
        if let failure = result.failure { throw failure }
    }

    private func removeImages(of list: [ImageState], upTo bytes: Int64) async throws -> (freed: Int64, failure: (any Error)?) {
        let candidates = images.candidates(list, policy: context.configuration.garbage, now: context.clock.now())
        guard !candidates.isEmpty else { return (0, nil) }
        // Older runtimes do not pin what they run sandboxes from; without it no pod starts while the registry is away.
        let sandboxImage = try await context.runtime.sandboxImage()
        let spared = sandboxImage.map { Set(ImageReference.spellings($0)) } ?? []
        var freed: Int64 = 0
        var failure: (any Error)?
        for image in candidates where freed < bytes {
            if image.tags.contains(where: spared.contains) || image.digests.contains(where: spared.contains) { continue }
            do {
                try await context.runtime.removeImage(image.id)
                freed = Int64(clamping: Int128(freed) + Int128(image.size))
                context.logger.info("unused image removed", metadata: ["image": "\(image.tags.first ?? image.id)", "bytes": "\(image.size)"])
            } catch {
                failure = failure ?? error
            }
        }
        return (freed, failure)
    }
}
