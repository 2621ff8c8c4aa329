import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

/// Sees to it that images are there: asks the runtime, pulls by policy, and waits longer after each failure (`spec/05 §17`).
///
/// At most five pulls run at a time; one more is refused with a reason and tried again with its pod.
actor ImageStore {
    private static let limit = 5

    private let runtime: any RuntimeInterface
    private let clock: any MomentSource
    private let logger: Logger
    /// Docker's `config.json` of this machine, wherever it lies.
    private let credentialFiles: [String]
    private var pulls = ImagePulls()
    private var running = 0

    init(runtime: any RuntimeInterface, clock: any MomentSource, credentialFiles: [String] = [], logger: Logger) {
        self.credentialFiles = credentialFiles
        self.runtime = runtime
        self.clock = clock
        self.logger = logger
    }

    /// Forgets the back-offs of a pod that is gone.
    func forget(podUID: String) { pulls.forget(podUID: podUID) }

    /// Told what users should know of an image.
    typealias Teller = @Sendable (KubeletNotice) async -> Void

    /// The image of a container. Throws `StartFailure` with the reason that the container shows while it waits.
    func ensure(
        _ container: ContainerView, of pod: PodView, secrets: [JSONValue], sandbox: SandboxPlan, tell: Teller
    ) async throws -> ImageState {
        do {
            let present = try await inspect(container)
            let decision = pulls.decide(container, in: pod, isPresent: present != nil, now: clock.now())
            switch decision {
            case .use:
                guard let present else { throw StartFailure(reason: "ErrImageNeverPull", message: "image \"\(container.image)\" is not there") }
                await tell(.present(container.image))
                return present
            case .wait(let failure, _): throw failure
            case .pull(let reference):
                return try await pull(reference, container, of: pod, present: present, secrets: secrets, sandbox: sandbox, tell: tell)
            }
        } catch let failure as StartFailure {
            if let notice = KubeletNotice.image(container.image, failure) { await tell(notice) }
            throw failure
        }
    }

    private func inspect(_ container: ContainerView) async throws -> ImageState? {
        let reference = try ImageReference(container.image).complete
        do {
            return try await runtime.image(reference)
        } catch let failure as RuntimeFailure {
            throw ImagePulls.inspectionFailed(container.image, failure.message)
        }
    }

    private func pull(
        _ reference: String, _ container: ContainerView, of pod: PodView, present: ImageState?, secrets: [JSONValue], sandbox: SandboxPlan,
        tell: Teller
    ) async throws -> ImageState {
        guard running < Self.limit else {
            let reason = container.kind == .regular && !pod.initContainers.isEmpty ? "PodInitializing" : "ContainerCreating"
            throw StartFailure(reason: reason, message: "\(Self.limit) images are being pulled already: this one is tried again soon")
        }
        running += 1
        defer { running -= 1 }
        await tell(.pulling(container.image))
        let start = clock.now().uptime
        logger.info("image is pulled", metadata: ["image": "\(reference)", "pod": "\(pod.object.key)"])
        let credentials = RegistryKeys(secrets: secrets, files: credentialFiles).credentials(for: reference)
        var failure = RuntimeFailure(code: .failed, message: "")
        for credential in credentials.map(Optional.some) + (credentials.isEmpty ? [nil] : []) {
            do {
                _ = try await runtime.pullImage(reference, credentials: credential, sandbox: sandbox)
                pulls.succeeded(container, in: pod)
                let duration = clock.now().uptime - start
                await tell(.pulled(container.image, pull: duration, whole: duration))
                if let image = try await inspect(container) { return image }
                throw StartFailure(reason: "ErrImagePull", message: "image \"\(reference)\" was pulled and is not there")
            } catch let error as RuntimeFailure {
                failure = error
            }
        }
        await tell(.pullFailed(container.image, failure.message))
        let decision = pulls.failed(
            container, in: pod, message: failure.message, isPresent: present != nil, isUnreachable: Self.isUnreachable(failure), now: clock.now())
        if case .use = decision, let present {
            logger.warning("registry cannot be reached: the image that is there serves", metadata: ["image": "\(reference)"])
            return present
        }
        if case .wait(let failure, _) = decision { throw failure }
        throw StartFailure(reason: "ErrImagePull", message: failure.message)
    }

    /// Whether no registry answered at all, as far as the runtime's words tell.
    private static func isUnreachable(_ failure: RuntimeFailure) -> Bool {
        let signs = [
            "no such host", "connection refused", "network is unreachable", "i/o timeout", "no route to host", "server misbehaving",
            "Temporary failure in name resolution", "TLS handshake timeout", "deadline exceeded",
        ]
        return failure.code == .timedOut || signs.contains { failure.message.firstRange(of: $0) != nil }
    }
}
