package import KubeMachinery
package import Logging
package import Primitives

/// A live copy of a collection: lists it, watches it, and tells what changed.
///
/// When to list and when to watch is `ReflectorCore`'s to say. Nothing but a whole, successful list or a `DELETED` event removes an
/// object: while reads fail the copy stays as it was. A list that is empty all at once has to be confirmed by an object that is really gone.
/// Delays grow from 0.8 s to 30 s with chance in them.
package actor Informer {
    package nonisolated let resource: GroupVersionResource
    private let api: any KubeAPI
    private let clock: any MomentSource
    private let logger: Logger

    private var core: ReflectorCore
    private var cache = InformerCache()
    private var generator = SystemRandomNumberGenerator()
    private var isEnded = false
    private var readers: [WeakMailbox] = []
    private var waiters: [AsyncStream<Void>.Continuation] = []

    private struct WeakMailbox { weak var mailbox: ChangeMailbox? }

    /// Whether one list has succeeded, so that an object that is not here did not exist then.
    package private(set) var hasSynced = false

    /// `query` says what to select; its `limit` is the size of a page (500 where it is nil).
    package init(
        api: any KubeAPI, resource: GroupVersionResource, query: ListQuery = ListQuery(), clock: any MomentSource = SystemClock(), logger: Logger
    ) {
        self.api = api
        self.resource = resource
        core = ReflectorCore(query: query, pageSize: query.limit ?? 500)
        self.clock = clock
        var logger = logger
        logger[metadataKey: "resource"] = "\(resource)"
        self.logger = logger
    }

    /// The object under `key`; nil where there is none, and before the first list.
    package func object(_ key: ObjectKey) -> KubeObject? { cache.objects[key] }

    /// All objects in the order of their keys.
    package func objects() -> [KubeObject] { cache.objects.values.sorted { $0.key < $1.key } }

    /// All objects that meet a condition, in no particular order.
    package func objects(where condition: @Sendable (KubeObject) -> Bool) -> [KubeObject] { cache.objects.values.filter(condition) }

    /// Returns once a list has succeeded; at once where one has, and early when the task is cancelled or the informer ends.
    package func synced() async {
        if hasSynced || isEnded { return }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        waiters.append(continuation)
        for await _ in stream {}
    }

    /// Every change from now on, after the present content as additions; for one reader.
    ///
    /// A reader that is slow finds the changes of an object joined into one; none is lost, the newest always comes.
    /// The sequence ends with the informer or the reader's task.
    package func changes() -> AsyncStream<InformerChange> {
        let mailbox = ChangeMailbox()
        for object in objects() { mailbox.post(.added(object)) }
        if isEnded { mailbox.close() } else { readers.append(WeakMailbox(mailbox: mailbox)) }
        return AsyncStream { await mailbox.next() }
    }

    /// Keeps the copy up to date until the task is cancelled; throws `CancellationError` then and nothing else. To be called once.
    package func run() async throws {
        defer { end() }
        var directives = core.handle(.start, at: clock.now(), using: &generator)
        while !directives.isEmpty {
            // One by one: what is done must not be held while the next, most often a watch, goes on. It may be the whole list.
            directives += try await perform(directives.removeFirst())
            try Task.checkCancellation()
        }
    }

    /// Performs a directive and returns what its outcome leads to.
    private func perform(_ directive: ReflectorCore.Directive) async throws -> [ReflectorCore.Directive] {
        switch directive {
        case .list(let query):
            do {
                let page = try await api.list(resource, query)
                if page.items.isEmpty, page.next == nil, let doubt = await doubt(of: query) { return handle(.listFailed(doubt)) }
                return handle(.page(page))
            } catch {
                try Task.checkCancellation()
                return handle(.listFailed(Self.status(error)))
            }
        case .watch(let query, let version): return try await follow(query, version)
        case .replace(let items, _):
            tell(cache.replace(with: items))
            hasSynced = true
            for waiter in waiters { waiter.finish() }
            waiters = []
        case .apply(let event): tell(cache.apply(event))
        case .wait(let deadline):
            try await clock.wait(until: deadline)
            return handle(.timer)
        case .report(let status):
            logger.warning("reading failed, keeping what is known", metadata: ["error": "\(status)", "objects": "\(cache.objects.count)"])
        }
        return []
    }

    /// Why an empty list is not to be believed; nil where an object of the copy is gone indeed, or asking would say nothing.
    private func doubt(of query: ListQuery) async -> KubeStatus? {
        guard query.next == nil, query.labelSelector.isEmpty, query.fieldSelector.isEmpty, let known = cache.objects.keys.min() else { return nil }
        do {
            _ = try await api.get(resource, known)
            return .serviceUnavailable("the API lists none of \(cache.objects.count) known objects, though it has \(known)")
        } catch let status as KubeStatus where status.isNotFound || status.code == 403 {
            return nil
        } catch {
            return Self.status(error)
        }
    }

    private func follow(_ query: ListQuery, _ version: String) async throws -> [ReflectorCore.Directive] {
        do {
            for try await event in try await api.watch(resource, query, resourceVersion: version) {
                for directive in handle(.watchEvent(event)) { _ = try await perform(directive) }
            }
            try Task.checkCancellation()
            return handle(.watchEnded(nil))
        } catch {
            try Task.checkCancellation()
            return handle(.watchEnded(Self.status(error)))
        }
    }

    private func handle(_ event: ReflectorCore.Event) -> [ReflectorCore.Directive] {
        core.handle(event, at: clock.now(), using: &generator)
    }

    /// A version from the future (the server's store was set back) is as good as one that is gone.
    private static func status(_ error: any Error) -> KubeStatus {
        guard let status = error as? KubeStatus else { return .serviceUnavailable("\(error)") }
        return status.message.contains("Too large resource version") ? .gone(status.message) : status
    }

    private func tell(_ changes: [InformerChange]) {
        readers.removeAll { $0.mailbox == nil }
        for reader in readers {
            for change in changes { reader.mailbox?.post(change) }
        }
    }

    private func end() {
        isEnded = true
        for reader in readers { reader.mailbox?.close() }
        readers = []
        for waiter in waiters { waiter.finish() }
        waiters = []
    }
}
