import KubeMachinery
import Primitives

/// A watch that was granted: what is there, then every change, as lines of JSON.
package struct WatchSession: Sendable {
    let presenter: Presenter
    let selection: Selection
    /// Objects to show as `ADDED` before any change.
    let initial: [KubeObject]
    let events: AsyncStream<StorageEvent>
    /// The revision that `initial` shows.
    let revision: UInt64
    let sendsBookmarks: Bool
    let timeout: Duration
    let clock: any MomentSource

    /// Time between two bookmarks.
    static let bookmarkInterval: Duration = .seconds(60)

    /// Writes lines until the time is over, the store ends the stream or the task is cancelled.
    ///
    /// One line is written at a time; while the writer waits for its client nothing more is taken from the store,
    /// which ends the stream of a reader that stays too far behind.
    package func run(write: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        var lines = WatchLines(presenter: presenter, selection: selection, revision: revision)
        for object in initial { try await write(lines.added(object)) }
        let inbox = WatchInbox()
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer {
                    inbox.close()
                    group.cancelAll()
                }
                group.addTask {
                    for await event in events { await inbox.put(.event(event)) }
                    await inbox.put(.end)
                }
                group.addTask { await tick(into: inbox) }
                while let input = await inbox.next() {
                    switch input {
                    case .event(let event): if let line = lines.line(event) { try await write(line) }
                    case .bookmark: try await write(lines.bookmark())
                    case .end: return
                    }
                }
            }
        } onCancel: {
            inbox.close()
        }
    }

    private func tick(into inbox: WatchInbox) async {
        let start = clock.now().uptime
        var next = start
        while true {
            next = min(next + Self.bookmarkInterval, start + timeout)
            do { try await clock.wait(until: next) } catch { return }
            if next >= start + timeout { break }
            if sendsBookmarks { await inbox.put(.bookmark) }
        }
        await inbox.put(.end)
    }
}

/// The line-making part of a watch: a value.
struct WatchLines {
    let presenter: Presenter
    let selection: Selection
    /// Everything up to here was shown.
    private(set) var revision: UInt64
    private var isFirst = true

    init(presenter: Presenter, selection: Selection, revision: UInt64) {
        self.presenter = presenter
        self.selection = selection
        self.revision = revision
    }

    mutating func added(_ object: KubeObject) -> [UInt8] { line("ADDED", object) }

    /// The line of a change, as the selection sees it: an object that begins to match is added, one that ceases is deleted.
    mutating func line(_ event: StorageEvent) -> [UInt8]? {
        guard event.revision > revision else { return nil }
        revision = event.revision
        let isIn = selection.matches(event.object)
        switch event.change {
        case .added: return isIn ? line("ADDED", event.object) : nil
        case .deleted:
            let wasIn = event.previous.map(selection.matches) ?? isIn
            return wasIn ? line("DELETED", event.object) : nil
        case .modified:
            switch (event.previous.map(selection.matches) ?? true, isIn) {
            case (true, true): return line("MODIFIED", event.object)
            case (false, true): return line("ADDED", event.object)
            case (true, false):
                var last = event.previous ?? event.object
                last.resourceVersion = String(event.revision)
                return line("DELETED", last)
            case (false, false): return nil
            }
        }
    }

    func bookmark() -> [UInt8] { Self.line("BOOKMARK", presenter.bookmark(revision)) }

    private mutating func line(_ type: String, _ object: KubeObject) -> [UInt8] {
        defer { isFirst = false }
        return Self.line(type, presenter.watched(object, isFirst: isFirst))
    }

    static func line(_ type: String, _ object: JSONValue) -> [UInt8] {
        let value: JSONValue = ["type": .string(type), "object": object]
        return value.encoded() + [UInt8(ascii: "\n")]
    }
}
