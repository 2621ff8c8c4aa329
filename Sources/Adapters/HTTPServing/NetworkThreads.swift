import NIOCore

/// The threads that all sockets of the process share.
package enum NetworkThreads {
    /// Sets how many there are; only before the first socket is made, so at the top of a program's main.
    package static func limit(to count: Int) { NIOSingletons.groupLoopCountSuggestion = max(1, count) }
}
