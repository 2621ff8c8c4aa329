import Dispatch
import Glibc
import Primitives
import Synchronization

/// Signals that ask the process to end.
package enum ProcessSignals {
    /// Every SIGTERM and SIGINT from now on, by number, instead of the death of the process. One more after
    /// a second or later ends it at once (status 130 or 143); senders that signal a process and its group count once.
    ///
    /// SIGPIPE is ignored from here on: a closed socket is an error of the write, not the end of the program.
    package static func terminations() -> AsyncStream<Int32> {
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingOldest(2))
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                switch asked.note(SystemClock().now().uptime) {
                case .first: continuation.yield(number)
                case .repeated: break
                case .insistent: _exit(128 + number)
                }
            }
            source.resume()
            sources.keep(source)
        }
        return stream
    }

    private static let asked = EndRequests()
    private static let sources = KeptSources()
}

/// Tells the first request to end from its echoes and from one that insists.
private final class EndRequests: Sendable {
    enum Standing { case first, repeated, insistent }

    private let first = Mutex<Duration?>(nil)

    func note(_ now: Duration) -> Standing {
        first.withLock { first in
            guard let start = first else {
                first = now
                return .first
            }
            return now - start < .seconds(1) ? .repeated : .insistent
        }
    }
}

/// Signal sources live as long as the process.
// SAFETY: `sources` is touched under `lock` only.
private final class KeptSources: @unchecked Sendable {
    private let lock = Mutex(())
    private var sources: [any DispatchSourceSignal] = []

    func keep(_ source: any DispatchSourceSignal) { lock.withLock { _ in sources.append(source) } }
}
