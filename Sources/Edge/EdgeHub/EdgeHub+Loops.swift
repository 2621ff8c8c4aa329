import DeliveryCore
import EdgeMessages
import EdgeTransport
import Logging
import Primitives

extension EdgeHub {
    func keepTime() async {
        while !Task.isCancelled {
            dropAbandoned()
            let deadline = core.nextDeadline(now: clock.now())
            timerDeadline = deadline ?? .seconds(Int64.max / 4)
            await timerSignal.wait(until: deadline, clock: clock)
            timerDeadline = nil
            perform(core.timerFired(now: clock.now()))
            senderSignal.set()
        }
    }

    /// Connects and serves the connection until it ends.
    private func serve(epoch: UInt64) async {
        do {
            let channel = try await connect()
            guard !Task.isCancelled else { return await channel.close("the edge stops") }
            self.channel = channel
            metrics.connected()
            changedAt = clock.now().wall
            perform(core.connected(epoch: epoch, now: clock.now()))
            logger.info("connected to the cloud", metadata: ["epoch": "\(epoch)"])
            await withDiscardingTaskGroup { group in
                group.addTask { await self.send(over: channel, epoch: epoch) }
                await read(from: channel, epoch: epoch)
                await channel.close("")
                group.cancelAll()
                senderSignal.set()
            }
        } catch {
            metrics.connectionFailed()
            lastFailure = "\(error)"
            logger.warning("no connection to the cloud", metadata: ["cause": "\(error)"])
        }
        if channel != nil { changedAt = clock.now().wall }
        channel = nil
        metrics.disconnected()
        perform(core.closed(epoch: epoch, now: clock.now(), using: &generator))
        roomSignal.set()
    }

    private func read(from channel: any MessageChannel, epoch: UInt64) async {
        do {
            for try await payload in channel.messages() {
                metrics.messageReceived()
                do {
                    perform(core.received(try EdgeMessage(wire: payload), epoch: epoch, now: clock.now()))
                } catch {
                    logger.warning("message dropped, it cannot be read", metadata: ["cause": "\(error)", "bytes": "\(payload.count)"])
                }
                while lanes.isFull, !Task.isCancelled { await roomSignal.wait() }
            }
            lastFailure = "the cloud closed the connection"
            logger.info("the cloud closed the connection", metadata: ["epoch": "\(epoch)"])
        } catch {
            lastFailure = "\(error)"
            logger.warning("connection to the cloud lost", metadata: ["epoch": "\(epoch)", "cause": "\(error)"])
        }
    }

    private func send(over channel: any MessageChannel, epoch: UInt64) async {
        while !Task.isCancelled, core.epoch == epoch {
            guard let message = core.nextMessage(now: clock.now(), using: &generator) else {
                await senderSignal.wait()
                continue
            }
            do {
                try await channel.send(message.wire)
                metrics.sent(message)
                perform(core.sendFinished(epoch: epoch))
                // The keepalive or the rate sets a new time.
                timerSignal.set()
            } catch {
                logger.debug("message not sent", metadata: ["resource": "\(message.route.resource)", "cause": "\(error)"])
                await channel.close("a message could not be sent")
                return
            }
        }
    }

    private func prove(epoch: UInt64) async {
        guard core.epoch == epoch, let channel else { return }
        do {
            try await channel.roundTrip(within: proofTime)
            perform(core.proved(epoch: epoch, isProved: true))
        } catch {
            logger.debug("reports not proved", metadata: ["epoch": "\(epoch)", "cause": "\(error)"])
            perform(core.proved(epoch: epoch, isProved: false))
        }
    }

    // MARK: - Directives

    func perform(_ directives: [EdgeSessionDirective]) {
        for directive in directives {
            switch directive {
            case .connect(let epoch): workFeed.yield(.connect(epoch: epoch))
            case .connectivity(let isOnline): observers.tell(isOnline)
            case .resume(let id, let result): waiters.removeValue(forKey: id)?.resume(with: result.mapError { $0 })
            case .apply(let id, let message):
                enqueue(Delivery(lane: message.route.resource, id: id, message: message, target: downlink))
            case .hand(let message): hand(message)
            case .prove(let epoch): workFeed.yield(.prove(epoch: epoch))
            case .note(let note): log(note)
            }
        }
        metrics.set(core.backlog)
        let now = clock.now()
        if core.hasMessage(now: now) { senderSignal.set() }
        if let timerDeadline, let next = core.nextDeadline(now: now), next < timerDeadline { timerSignal.set() }
    }

    private func enqueue(_ delivery: Delivery) {
        if lanes.add(delivery, key: delivery.lane) {
            while let (_, next) = lanes.next() { workFeed.yield(.apply(next)) }
        } else if let id = delivery.id {
            // Reading stops when the last place is taken, so this is one too many of the same moment; the cloud repeats it.
            perform(core.applyFinished(id: id, failure: "too many messages at once", now: clock.now()))
        }
    }

    private func hand(_ message: EdgeMessage) {
        let group = message.route.group
        guard let module = modules[group] else {
            logger.debug("message dropped, no module for its group", metadata: ["group": "\(group)"])
            return
        }
        enqueue(Delivery(lane: "\(group) \(message.route.resource)", id: nil, message: message, target: module))
    }

    func perform(_ item: Work) async {
        switch item {
        case .connect(let epoch): await serve(epoch: epoch)
        case .prove(let epoch): await prove(epoch: epoch)
        case .apply(let delivery):
            var failure: String?
            let begin = clock.now().uptime
            do { try await delivery.target.apply(delivery.message) } catch { failure = "\(error)" }
            metrics.applied(after: clock.now().uptime - begin, failed: failure != nil)
            if let id = delivery.id {
                perform(core.applyFinished(id: id, failure: failure, now: clock.now()))
            } else if let failure {
                logger.warning("message not handled", metadata: ["resource": "\(delivery.message.route.resource)", "cause": "\(failure)"])
            }
            lanes.finish(delivery.lane)
            roomSignal.set()
            while let (_, next) = lanes.next() { workFeed.yield(.apply(next)) }
        }
    }

    private func log(_ note: EdgeSessionNote) {
        switch note {
        case .lateAnswer(let resource): logger.debug("answer dropped, nobody waits for it", metadata: ["resource": "\(resource)"])
        case .unknownGroup(let group): logger.debug("message dropped, no module for its group", metadata: ["group": "\(group)"])
        case .postDropped(let resource):
            metrics.postDropped()
            logger.warning("oldest report dropped, the queue is full", metadata: ["resource": "\(resource)"])
        case .applyFailed(let resource, let cause):
            logger.error("message of the cloud not kept", metadata: ["resource": "\(resource)", "cause": "\(cause)"])
        }
    }
}
