package import Logging
package import Primitives

/// Runs a program's modules together: started in order, stopped in reverse order, restarted where the policy says so.
///
///     running ──(stop asked, or a module failed)──▶ stopping: last module first, each waited for ──▶ returned or thrown
package struct Supervisor: Sendable {
    private enum Event: Sendable {
        case stopAsked
        case ended(Int, (any Error)?)
        case stopOverdue
        case quiet
    }

    private let modules: [Module]
    private let policy: RestartPolicy
    private let stopLimit: Duration
    private let clock: any MomentSource
    private let logger: Logger

    /// `stopLimit`: how long all modules together may take to stop before `run` cancels those that remain.
    package init(
        modules: [Module], policy: RestartPolicy = .never, stopLimit: Duration = .seconds(20), clock: any MomentSource = SystemClock(),
        logger: Logger
    ) {
        self.modules = modules
        self.policy = policy
        self.stopLimit = stopLimit
        self.clock = clock
        self.logger = logger
    }

    /// Runs until `stop` yields or ends, a module fails, or the task is cancelled. Throws `SupervisionError`.
    package func run(stop: AsyncStream<Int32>) async throws {
        var stopSignals: [AsyncStream<Void>.Continuation] = []
        try await withThrowingTaskGroup(of: Event.self) { group in
            for (index, module) in modules.enumerated() {
                let (signal, continuation) = AsyncStream.makeStream(of: Void.self)
                stopSignals.append(continuation)
                group.addTask { .ended(index, await supervise(module, until: signal)) }
            }
            group.addTask {
                for await number in stop {
                    logger.info("stopping", metadata: ["signal": "\(number)"])
                    return .stopAsked
                }
                return Task.isCancelled ? .quiet : .stopAsked
            }
            try await watch(&group, stopSignals)
        }
    }

    private func watch(
        _ group: inout ThrowingTaskGroup<Event, any Error>, _ stopSignals: [AsyncStream<Void>.Continuation]
    ) async throws {
        var running = Set(modules.indices)
        var isStopping = false
        var failure: SupervisionError?
        while let event = try await group.next() {
            switch event {
            case .quiet: continue
            case .stopOverdue:
                let names = running.sorted().map { modules[$0].name }.joined(separator: ", ")
                group.cancelAll()
                throw SupervisionError(code: .stopTookTooLong, message: "modules did not stop within \(stopLimit): \(names)", cause: failure)
            case .ended(let index, let error):
                running.remove(index)
                if let error, failure == nil {
                    failure = SupervisionError(code: .moduleFailed, message: "module \(modules[index].name) failed: \(error)", cause: error)
                }
                if isStopping || error != nil { isStopping = beginOrContinueStop(isStopping, running, stopSignals, &group) }
            case .stopAsked: isStopping = beginOrContinueStop(isStopping, running, stopSignals, &group)
            }
            if running.isEmpty { break }
        }
        group.cancelAll()
        if let failure { throw failure }
    }

    private func beginOrContinueStop(
        _ isStopping: Bool, _ running: Set<Int>, _ stopSignals: [AsyncStream<Void>.Continuation],
        _ group: inout ThrowingTaskGroup<Event, any Error>
    ) -> Bool {
        if !isStopping {
            let deadline = clock.now().uptime + stopLimit
            group.addTask { [clock] in
                do { try await clock.wait(until: deadline) } catch { return .quiet }
                return .stopOverdue
            }
        }
        if let last = running.max() { stopSignals[last].finish() }
        return true
    }

    /// Runs one module until the signal ends; returns the error that must end the program.
    private func supervise(_ module: Module, until signal: AsyncStream<Void>) async -> (any Error)? {
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask { await runRepeatedly(module) }
            group.addTask {
                for await _ in signal {}
                return nil
            }
            let error = await group.next() ?? nil
            group.cancelAll()
            return error
        }
    }

    private func runRepeatedly(_ module: Module) async -> (any Error)? {
        var schedule = RestartSchedule()
        while true {
            let start = clock.now().uptime
            var failure: (any Error)?
            logger.debug("module starts", metadata: ["module": "\(module.name)"])
            do { try await module.run() } catch { failure = error }
            if Task.isCancelled { return nil }
            if let failure {
                logger.error("module failed", metadata: ["module": "\(module.name)", "error": "\(failure)"])
            } else {
                logger.info("module ended", metadata: ["module": "\(module.name)"])
            }
            guard case .always = policy else { return failure }
            let now = clock.now().uptime
            let delay = schedule.delay(afterRunOf: now - start)
            logger.warning("module exited, will restart", metadata: ["module": "\(module.name)", "delay": "\(delay)"])
            do { try await clock.wait(until: now + delay) } catch { return nil }
        }
    }
}
