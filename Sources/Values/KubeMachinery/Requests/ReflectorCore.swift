package import Primitives

/// Keeps a copy of a collection: list, then watch, again from where it broke, and list again only where history is gone.
///
///     idle ──start──▶ listing ──last page──▶ watching ──ended──▶ waiting ──timer──▶ watching
///                        ▲  └──failed──▶ waiting ──timer──▶ listing                     │
///                        └───────────────────── 410 ────────────────────────────────────┘
///
/// The copy is only ever replaced by a complete list that the server returned with a resourceVersion: a failed, broken or
/// partial read never empties it. Events of a state that is past are harmless and ignored.
package struct ReflectorCore: Sendable {
    package enum Event: Sendable {
        case start
        case page(KubeList)
        case listFailed(KubeStatus)
        case watchEvent(WatchEvent)
        /// nil where the server ended the watch in good order.
        case watchEnded(KubeStatus?)
        case timer
    }

    package enum Directive: Sendable {
        case list(ListQuery)
        case watch(ListQuery, resourceVersion: String)
        /// The complete content of the collection.
        case replace([KubeObject], resourceVersion: String)
        /// An added, modified or deleted object.
        case apply(WatchEvent)
        /// Send `timer` at this uptime.
        case wait(until: Duration)
        case report(KubeStatus)
    }

    private enum State {
        case idle
        case listing(pages: [KubeObject])
        case watching(since: Duration, sawEvent: Bool)
        case waiting(relist: Bool)
    }

    /// The page size of lists.
    package let pageSize: Int
    /// The last version that the copy holds, nil before the first list.
    package private(set) var resourceVersion: String?
    private let query: ListQuery
    private var state = State.idle
    private var backoff: Backoff
    /// A watch that lived this long shows that the server is well.
    private static let healthyWatch = Duration.seconds(10)

    package init(
        query: ListQuery, pageSize: Int = 500, backoff: Backoff = Backoff(initial: .milliseconds(800), limit: .seconds(30), jitter: 0.5)
    ) {
        self.query = query
        self.pageSize = pageSize
        self.backoff = backoff
    }

    /// Whether a first complete list has been seen.
    package var isSynced: Bool { resourceVersion != nil }

    package mutating func handle(_ event: Event, at now: Moment, using generator: inout some RandomNumberGenerator) -> [Directive] {
        switch (event, state) {
        case (.start, .idle): return list()
        case (.timer, .waiting(let relist)):
            if !relist, let resourceVersion { return watch(from: resourceVersion, at: now) }
            return list()
        case (.page(let page), .listing(let pages)): return take(page, after: pages, at: now, using: &generator)
        case (.listFailed(let status), .listing):
            return pause(relist: true, status, at: now, using: &generator)
        case (.watchEvent(let event), .watching(let since, _)):
            state = .watching(since: since, sawEvent: true)
            return take(event)
        case (.watchEnded(let status), .watching(let since, let sawEvent)):
            return ended(status, wasHealthy: sawEvent || now.uptime - since >= Self.healthyWatch, at: now, using: &generator)
        default: return []
        }
    }

    private mutating func list() -> [Directive] {
        state = .listing(pages: [])
        var query = query
        query.limit = pageSize
        query.next = nil
        return [.list(query)]
    }

    private mutating func take(
        _ page: KubeList, after pages: [KubeObject], at now: Moment, using generator: inout some RandomNumberGenerator
    ) -> [Directive] {
        let all = pages + page.items
        if let next = page.next, !next.isEmpty {
            state = .listing(pages: all)
            var query = query
            query.limit = pageSize
            query.next = next
            return [.list(query)]
        }
        guard !page.resourceVersion.isEmpty else {
            return pause(relist: true, .internalError("a list without resourceVersion"), at: now, using: &generator)
        }
        backoff.reset()
        resourceVersion = page.resourceVersion
        return [.replace(all, resourceVersion: page.resourceVersion)] + watch(from: page.resourceVersion, at: now)
    }

    private mutating func take(_ event: WatchEvent) -> [Directive] {
        switch event {
        case .bookmark(let version):
            if !version.isEmpty { resourceVersion = version }
            return []
        case .added(let object), .modified(let object), .deleted(let object):
            if !object.resourceVersion.isEmpty { resourceVersion = object.resourceVersion }
            return [.apply(event)]
        }
    }

    private mutating func ended(
        _ status: KubeStatus?, wasHealthy: Bool, at now: Moment, using generator: inout some RandomNumberGenerator
    ) -> [Directive] {
        if wasHealthy { backoff.reset() }
        guard let status else {
            if wasHealthy, let resourceVersion { return watch(from: resourceVersion, at: now) }
            return pause(relist: false, nil, at: now, using: &generator)
        }
        if status.isGone {
            // History is gone: list at once the first time, with pauses where it happens again.
            if wasHealthy { return list() }
            return pause(relist: true, status, at: now, using: &generator)
        }
        return pause(relist: false, status, at: now, using: &generator)
    }

    private mutating func watch(from version: String, at now: Moment) -> [Directive] {
        state = .watching(since: now.uptime, sawEvent: false)
        var query = query
        query.limit = nil
        query.next = nil
        return [.watch(query, resourceVersion: version)]
    }

    private mutating func pause(
        relist: Bool, _ status: KubeStatus?, at now: Moment, using generator: inout some RandomNumberGenerator
    ) -> [Directive] {
        state = .waiting(relist: relist)
        let deadline = now.uptime + backoff.next(using: &generator)
        return (status.map { [.report($0)] } ?? []) + [.wait(until: deadline)]
    }
}
