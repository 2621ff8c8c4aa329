import EdgeTesting
import Glibc
import PodCore
import Primitives
import Synchronization
import Testing

@testable import KubeletServer

/// A log that is read while it is written.
struct FollowTests {
    static func line(_ text: String) -> String { "2024-06-01T10:00:00.5Z stdout F \(text)\n" }

    @Test func `a follower gets each line as it is written and ends with the container`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod(Self.line("one"))
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("GET /containerLogs/default/web/main?follow=true HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let head = await client.read(until: "one\n")
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && head.contains("Content-Type: text/plain\r\n"))
            try bed.folder.append("0.log", Self.line("two"))
            #expect(await client.read(until: "two\n").contains("two\n"))
            try bed.folder.append("0.log", "2024-06-01T10:00:00.5Z stdout P thr")
            try bed.folder.append("0.log", "\n" + Self.line("ee"))
            #expect(await client.read(until: "ee\n").contains("three\n"))
            try bed.folder.append("0.log", Self.line("last"))
            await bed.runtime.end("main", code: 0)
            // The runtime closes the log when a container has ended.
            try bed.folder.append("0.log", "")
            #expect(await client.readToEnd().contains("last\n"))
        }
    }

    @Test func `a follower goes through rotations without losing or repeating a line`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod()
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("GET /containerLogs/default/web/main?follow=true HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            var answer = await client.read(until: "\r\n\r\n")
            for round in 0..<5 {
                for number in 0..<200 { try bed.folder.append("0.log", Self.line("\(round)-\(number)")) }
                try bed.folder.move("0.log", to: "0.log.\(round)")
                // Until the runtime has opened the new file it writes to the old one.
                try bed.folder.append("0.log.\(round)", Self.line("\(round)-late"))
                try bed.folder.write("0.log", "")
                try bed.folder.append("0.log.\(round)", Self.line("\(round)-latest"))
                try bed.folder.append("0.log", Self.line("\(round)-new"))
                answer += await client.read(until: "\(round)-new\n")
            }
            await bed.runtime.end("main", code: 0)
            try bed.folder.append("0.log", "")
            answer += await client.readToEnd()
            let expected = (0..<5).flatMap { round in (0..<200).map { "\(round)-\($0)" } + ["\(round)-late", "\(round)-latest", "\(round)-new"] }
            let lines = HTTPAnswer(answer).body.split(separator: "\n").map(String.init)
            #expect(lines.count == expected.count)
            for (line, wanted) in zip(lines, expected) where line != wanted {
                Issue.record("\(line) came in place of \(wanted)")
                break
            }
        }
    }

    @Test func `a reader that was away for several rotations gets every file between`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod(Self.line("begin"))
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("GET /containerLogs/default/web/main?follow=true HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            var answer = await client.read(until: "begin\n")
            // All of it happens before the follower has let go of the first file, of which nobody says that it is closed.
            for round in 0..<4 {
                try bed.folder.move("0.log", to: "0.log.2026-\(round)")
                try bed.folder.write("0.log", Self.line("file \(round)"))
            }
            answer += await client.read(until: "file 3\n")
            await bed.runtime.end("main", code: 0)
            try bed.folder.append("0.log", "")
            answer += await client.readToEnd()
            let lines = HTTPAnswer(answer).body.split(separator: "\n").map(String.init)
            #expect(lines == ["begin", "file 0", "file 1", "file 2", "file 3"])
        }
    }

    @Test func `a container that has ended already ends its follower at the end of the log`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod(Self.line("one") + "2024-06-01T10:00:00.5Z stdout F half")
            await bed.runtime.end("main", code: 1)
            let answer = try await HTTPAnswer.get(port, "/containerLogs/default/web/main?follow=true&timestamps=true&tailLines=1")
            #expect(answer.body == "2024-06-01T10:00:00.500000000Z one\n2024-06-01T10:00:00.500000000Z half")
        }
    }

    @Test func `a follower from the end gets what was written after its request`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod(Self.line("before"))
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("GET /containerLogs/default/web/main?follow=true&tailLines=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            var answer = await client.read(until: "\r\n\r\n")
            try bed.folder.append("0.log", Self.line("after"))
            answer += await client.read(until: "after\n")
            #expect(HTTPAnswer(answer + "\r\n0\r\n\r\n").body == "after\n")
        }
    }

    @Test func `a follower with a limit ends at the limit`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod(Self.line("one") + Self.line("two"))
            #expect(try await HTTPAnswer.get(port, "/containerLogs/default/web/main?follow=true&limitBytes=6").body == "one\ntw")
        }
    }

    @Test func `a log that is emptied in place is followed from its new beginning`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod(Self.line("a long first line of the log"))
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("GET /containerLogs/default/web/main?follow=true HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            _ = await client.read(until: "log\n")
            try bed.folder.write("0.log", Self.line("new"))
            #expect(await client.read(until: "new\n").contains("new\n"))
        }
    }

    @Test func `when the client goes its file is closed`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod(Self.line("one"))
            let path = bed.folder.path("0.log")
            let client = try RawClient(port: port)
            await client.send("GET /containerLogs/default/web/main?follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = await client.read(until: "one\n")
            #expect(OpenFiles.count(of: path) == 1)
            client.close()
            try await eventually { OpenFiles.count(of: path) == 0 }
        }
    }

    /// Takes a piece, then nothing more until it is told to.
    private actor SlowReader {
        private(set) var pieces: [Int] = []
        private var waiting: CheckedContinuation<Void, Never>?

        func take(_ bytes: [UInt8]) async {
            pieces.append(bytes.count)
            await withCheckedContinuation { waiting = $0 }
        }

        func goOn() {
            waiting?.resume()
            waiting = nil
        }

        var isWaiting: Bool { waiting != nil }
    }

    @Test func `a slow reader gets piece after piece, never more than one at a time`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        let text = String(repeating: Self.line(String(repeating: "z", count: 1000)), count: 2000)
        try await bed.addPod(text)
        let reader = SlowReader()
        let stream = LogStream(
            path: bed.folder.path("0.log"), containerID: "c", options: LogOptions(), runtime: bed.runtime, clock: SystemClock())
        let start = try LogReader(LogFile(path: bed.folder.path("0.log")), LogOptions())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await stream.run(start) { await reader.take($0) } }
            var seen = 0
            while seen < 2_002_000 {
                try await eventually { await reader.isWaiting }
                let pieces = await reader.pieces
                // The producer rests while the reader does.
                for _ in 0..<20 { await Task.yield() }
                #expect(await reader.pieces == pieces)
                seen = pieces.reduce(0, +)
                #expect(pieces.allSatisfy { $0 <= 128 * 1024 })
                await reader.goOn()
            }
            try await group.waitForAll()
        }
        #expect(await reader.pieces.reduce(0, +) == 2000 * 1001)
    }
}

/// What this process has open.
enum OpenFiles {
    static func count(of path: String) -> Int {
        guard let folder = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            var buffer = [CChar](repeating: 0, count: 1024)
            let length = readlink("/proc/self/fd/\(name)", &buffer, 1023)
            if length > 0, String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self) == path { count += 1 }
        }
        return count
    }
}

/// Asks again until it is so, for ten seconds at most.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws {
    let clock = SystemClock()
    let deadline = clock.now().uptime + .seconds(10)
    while try await !condition() {
        try #require(clock.now().uptime < deadline, "it did not come about within ten seconds")
        try await clock.wait(until: clock.now().uptime + .milliseconds(2))
    }
}
