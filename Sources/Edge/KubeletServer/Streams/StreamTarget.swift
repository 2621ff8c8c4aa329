import ContainerRuntime
import KubeMachinery
import PodCore

/// The path of exec, attach, run and port-forward: `{namespace}/{pod}[/{uid}][/{container}]`.
struct StreamTarget: Sendable, Hashable {
    var pod: ObjectKey
    var uid: String?
    /// Empty for a port-forward.
    var container = ""

    /// nil where the segments are of neither form.
    init?(_ segments: ArraySlice<String>, hasContainer: Bool) {
        var rest = Array(segments)
        guard rest.count >= (hasContainer ? 3 : 2) else { return nil }
        if hasContainer { container = rest.removeLast() }
        guard (2...3).contains(rest.count) else { return nil }
        pod = ObjectKey(namespace: rest[0], name: rest[1])
        uid = rest.count == 3 ? rest[2] : nil
    }
}

/// Reads what a client wants of a stream from its query (`spec/05 §26.2–26.3`).
enum StreamOptions {
    static func selection(_ request: ServedRequest) throws(ServedFailure) -> StreamSelection {
        func isAsked(_ name: String) -> Bool { request[name] == "1" }
        let isTerminal = isAsked("tty")
        let selection = StreamSelection(
            input: isAsked("input"), output: isAsked("output"), errors: isAsked("error") && !isTerminal, isTerminal: isTerminal)
        guard selection.input || selection.output || selection.errors else {
            throw ServedFailure(400, "you must specify at least 1 of stdin, stdout, stderr")
        }
        return selection
    }

    /// The ports of a port-forward over WebSocket; SPDY names them in its streams.
    static func ports(_ request: ServedRequest) throws(ServedFailure) -> [Int32] {
        guard request.wantsWebSocket else { return [] }
        let texts = request.all("port").flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        guard !texts.isEmpty else { throw ServedFailure(400, "query parameter \"port\" is required") }
        var ports: [Int32] = []
        for text in texts {
            guard !text.isEmpty else { throw ServedFailure(400, "query parameter \"port\" cannot be empty") }
            guard let port = UInt16(text) else { throw ServedFailure(400, "unable to parse \"\(text)\" as a port: it is no number up to 65535") }
            guard port > 0 else { throw ServedFailure(400, "port \"\(text)\" must be > 0") }
            ports.append(Int32(port))
        }
        return ports
    }
}
