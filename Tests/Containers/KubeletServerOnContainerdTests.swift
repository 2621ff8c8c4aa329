import ContainerRuntime
import DevCluster
import EdgeTesting
import Edged
import FoundationEssentials
import Glibc
import HTTPServing
import KubeMachinery
import KubeletServer
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

/// The kubelet's HTTP surface over a kubelet and a containerd that are real.
@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct KubeletServerOnContainerdTests {
    /// What a test works with while kubelet and server run.
    private struct Node: Sendable {
        let bed: ContainerdBed
        let backend: FakeKubeletBackend
        let port: Int

        func status(_ pod: KubeObject) async -> JSONValue { await backend.pod(pod.uid)?.status ?? .null }

        func run(_ name: String, _ script: String, _ more: JSONValue = .null) async throws -> KubeObject {
            var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
            pod.uid = UniqueID.next()
            var container: JSONValue = [
                "name": "main", "image": .string(BusyboxImage.reference), "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sh", "-c", .string(script)],
            ]
            for (key, value) in more.members { container[key] = value }
            pod.json["spec"] = [
                "nodeName": "edge-1", "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container],
            ]
            await backend.put(pod)
            try await bed.eventually("\(name) runs") { await self.status(pod)["containerStatuses"][0]["state"]["running"].object != nil }
            return pod
        }

        /// Every byte of an answer without an upgrade, as it comes; `take` returns false when it has enough.
        func get(_ target: String, _ take: @Sendable (String) async throws -> Bool = { _ in true }) async throws -> (status: Int, body: String) {
            var headers: HTTPFields = ["Connection": "close"]
            headers["Accept"] = "*/*"
            let answer = try await HTTPUpgradeExchange(method: "GET", host: "127.0.0.1", port: port, target: target, headers: headers).perform()
            var raw = answer.early
            let isChunked = answer.headers["Transfer-Encoding"] == "chunked"
            while try await take(Self.body(raw, isChunked)), let more = try await answer.stream.receive() { raw += more }
            await answer.stream.close()
            return (answer.status, Self.body(raw, isChunked))
        }

        private static func body(_ raw: [UInt8], _ isChunked: Bool) -> String {
            guard isChunked else { return String(decoding: raw, as: UTF8.self) }
            var (rest, whole): (ArraySlice<UInt8>, [UInt8]) = (raw[...], [])
            while let end = rest.firstIndex(of: 13), let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16), size > 0,
                end + 2 + size <= rest.endIndex
            {
                whole += rest[(end + 2)..<(end + 2 + size)]
                rest = rest[(end + 2 + size)...].dropFirst(2)
            }
            return String(decoding: whole, as: UTF8.self)
        }
    }

    private static func withNode(_ body: @Sendable @escaping (Node) async throws -> Void) async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let backend = FakeKubeletBackend()
            await backend.start([])
            var configuration = EdgedConfiguration(nodeName: "edge-1")
            configuration.rootDirectory = bed.directory + "/edged"
            configuration.podLogDirectory = bed.directory + "/logs"
            configuration.containerLogDirectory = bed.directory + "/links"
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let quiet = Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() }
            let metrics = KubeletMetrics()
            let edged = try Edged(
                configuration, runtime: bed.runtime, backend: backend, handlers: NIOHandlerNetwork(group: group), meter: metrics, logger: quiet)
            var serving = KubeletServerConfiguration(nodeName: "edge-1")
            serving.port = 0
            let server = KubeletHTTPService(serving, view: edged.view, runtime: bed.runtime, usage: nil, metrics: metrics, logger: quiet).makeServer()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    do { try await edged.run() } catch is CancellationError {}
                }
                tasks.addTask { try await server.run() }
                try await body(Node(bed: bed, backend: backend, port: try await server.boundPort()))
                tasks.cancelAll()
            }
            try await group.shutdownGracefully()
        }
    }

    /// Whether this process, in which the server runs, has the file open.
    private static func isOpen(_ path: String) throws -> Bool {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").contains {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path
        }
    }

    @Test func `a log is followed through rotations to its end, line for line`() async throws {
        try await Self.withNode { node in
            // It stops before each fiftieth line until it is told to go on, however slow the machine is.
            let gate = "[ $((i%50)) -gt 0 ] || until [ -e /tmp/go$i ]; do sleep 0.02; done"
            let script = "i=0; while [ $i -lt 300 ]; do \(gate); echo out $i; echo err $i >&2; i=$((i+1)); done"
            let pod = try await node.run("talker", script)
            let path = "\(node.bed.directory)/logs/default_talker_\(pod.uid)/main/0.log"
            let id = try #require(await node.status(pod)["containerStatuses"][0]["containerID"].string).dropFirst("containerd://".count)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    try await node.bed.eventually("the log is being read") { try Self.isOpen(path) }
                    for round in 0..<6 {
                        _ = try await node.bed.runtime.execute(["touch", "/tmp/go\(round * 50)"], inContainer: String(id), timeout: .seconds(30))
                        if round == 5 { break }
                        let size = {
                            var information = stat(); return stat(path, &information) == 0 ? information.st_size : 0
                        }
                        try await node.bed.eventually("the log grows") { size() > 4000 }
                        try #require(rename(path, "\(path).\(round)") == 0)
                        try await node.bed.runtime.reopenLog(String(id))
                    }
                }
                let answer = try await node.get("/containerLogs/default/talker/main?follow=true")
                #expect(answer.status == 200)
                let lines = answer.body.split(separator: "\n")
                for stream in ["out", "err"] {
                    let numbers = lines.filter { $0.hasPrefix(stream) }.map { Int($0.dropFirst(4)) ?? -1 }
                    #expect(numbers == Array(0..<300))
                }
                try await tasks.waitForAll()
            }
            try await node.bed.eventually("the pod is told to have ended") { await node.status(pod)["phase"] == "Succeeded" }
            let tail = try await node.get("/containerLogs/default/talker/main?tailLines=2&timestamps=true").body
            // The two streams come to the file side by side.
            #expect(tail.split(separator: "\n").count == 2 && tail.hasSuffix(" 299\n"))
            #expect(tail.split(separator: "\n").allSatisfy { $0.wholeMatch(of: /\d{4}-\d\d-\d\dT[\d:.]+Z (out|err) \d+/) != nil })
            let previous = try await node.get("/containerLogs/default/talker/main?previous=true")
            #expect(previous.status == 400 && previous.body == "previous terminated container \"main\" in pod \"talker\" not found")
            let exec = try await node.get("/exec/default/talker/main?command=ls&output=1")
            #expect(exec.status == 500 && exec.body == "container not found (\"main\")")
        }
    }

    @Test func `commands run over WebSocket and SPDY and tell how they ended`() async throws {
        try await Self.withNode { node in
            _ = try await node.run("shell", "while true; do sleep 0.1; done")
            let command = "command=sh&command=-c&command=echo%20out;%20cat;%20exit%203"
            for prefix in ["/exec/default/shell/main"] {
                let socket = try await UpgradedConnection(
                    "GET", port: node.port, "\(prefix)?\(command)&output=1&error=1", ChannelFrames.headers("v4.channel.k8s.io"))
                #expect(socket.headers["Sec-WebSocket-Protocol"] == "v4.channel.k8s.io")
                #expect(socket.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
                var channels: [UInt8: String] = [:]
                try await socket.frames(ChannelFrames.parse) { frame in
                    if let channel = frame.payload.first, frame.code == 2 || frame.code == 1 {
                        channels[channel, default: ""] += String(decoding: frame.payload.dropFirst(), as: UTF8.self)
                    }
                    return channels[3]?.isEmpty ?? true
                }
                await socket.stream.close()
                #expect(channels[1] == "out\n")
                let status = try JSONValue(parsing: channels[3] ?? "")
                #expect(status["reason"] == "NonZeroExitCode")
                #expect(status["details"]["causes"][0]["message"] == "3")
            }

            let spdy = try await UpgradedConnection(
                "POST", port: node.port, "/exec/default/shell/main?\(command)&input=1&output=1",
                ["Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"])
            #expect(spdy.headers["X-Stream-Protocol-Version"] == "v4.channel.k8s.io")
            var frames = SPDYFrames()
            try await spdy.stream.send(frames.open(1, "error") + frames.open(3, "stdin") + frames.open(5, "stdout"))
            try await spdy.stream.send(SPDYFrames.data(3, Array("in\n".utf8), isLast: true))
            var texts: [UInt32: String] = [:]
            try await spdy.frames(SPDYFrames.parse) { frame in
                if let stream = frame.stream { texts[stream, default: ""] += String(decoding: frame.bytes, as: UTF8.self) }
                return texts[1]?.isEmpty ?? true
            }
            await spdy.stream.close()
            #expect(texts[5] == "out\nin\n")
            #expect(try JSONValue(parsing: texts[1] ?? "")["details"]["causes"][0]["message"] == "3")
        }
    }

    @Test func `attach reaches a process, port-forward a port`() async throws {
        try await Self.withNode { node in
            _ = try await node.run("reader", "while read line; do echo got $line; done", ["stdin": true])
            let attached = try await UpgradedConnection(
                "GET", port: node.port, "/attach/default/reader/main?input=1&output=1&error=1", ChannelFrames.headers("v4.channel.k8s.io"))
            try await attached.stream.send(ChannelFrames.message(0, Array("hello\n".utf8)))
            var output = ""
            try await attached.frames(ChannelFrames.parse) { frame in
                if frame.payload.first == 1 { output += String(decoding: frame.payload.dropFirst(), as: UTF8.self) }
                return !output.contains("got hello\n")
            }
            await attached.stream.close()
            #expect(output == "got hello\n")

            _ = try await node.run("web", "mkdir -p /tmp/w; echo page > /tmp/w/x; exec httpd -f -p 8080 -h /tmp/w")
            try await node.bed.eventually("the page is served") {
                let forward = try await UpgradedConnection(
                    "GET", port: node.port, "/portForward/default/web?port=8080", ChannelFrames.headers("v4.channel.k8s.io"))
                var answer: [UInt8] = []
                var ports: [UInt8: [UInt8]] = [:]
                try await forward.stream.send(ChannelFrames.message(0, Array("GET /x HTTP/1.0\r\n\r\n".utf8)))
                try await forward.frames(ChannelFrames.parse) { frame in
                    guard frame.code != 8, let channel = frame.payload.first else { return false }
                    // Each channel begins with its port.
                    if ports[channel] == nil { ports[channel] = Array(frame.payload.dropFirst()) } else { answer += frame.payload.dropFirst() }
                    return !String(decoding: answer, as: UTF8.self).hasSuffix("page\n") && (channel == 0 || frame.payload.count <= 3)
                }
                await forward.stream.close()
                #expect(ports[0] == [0x90, 0x1F])
                return String(decoding: answer, as: UTF8.self).contains(" 200 OK\r\n")
            }
            let running = try JSONValue(parsing: await node.get("/runningpods/").body)["items"].elements.map { $0["metadata"]["name"] }
            #expect(running == ["reader", "web"])
            let pods = try JSONValue(parsing: await node.get("/pods").body)["items"].elements
            #expect(pods.map { $0["status"]["phase"] } == ["Running", "Running"])
            let figures = try await node.get("/metrics").body
            #expect(figures.contains("kubelet_started_containers_total{container_type=\"container\"} 2\n"))
            #expect(figures.contains("kubelet_running_pods 2\n"))
        }
    }
}
