package import Primitives

/// Where the kubelet's server listens and what it shows (`spec/05 §26`).
package struct KubeletServerConfiguration: Sendable {
    package var nodeName: String
    package var host = "127.0.0.1"
    /// `readOnlyPort`.
    package var port = 10350
    /// `syncFrequency`: the sync loop is ill when it was not entered for twice as long, and for five minutes.
    package var syncInterval = Duration.seconds(60)
    /// `streamingConnectionIdleTimeout`: how long a stream may rest.
    package var streamIdleLimit = Duration.seconds(4 * 3600)
    /// `enableDebuggingHandlers`: logs, exec, attach, run, port-forward and running pods.
    package var servesContainers = true
    /// `enableSystemLogHandler`.
    package var servesSystemLogs = true
    package var systemLogDirectory = "/var/log"
    /// What `/configz` shows.
    package var kubeletConfiguration: JSONValue = [:]

    package init(nodeName: String) { self.nodeName = nodeName }
}
