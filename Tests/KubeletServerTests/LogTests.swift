import Primitives
import Testing

@testable import KubeletServer

/// What a reader gets of a log's lines.
struct LogLineTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var log: String
        var options: LogOptions
        var output: String
        var testDescription: String { name }

        init(_ name: String, _ log: String, _ output: String, _ change: (inout LogOptions) -> Void = { _ in }) {
            self.name = name
            self.log = log
            self.output = output
            options = LogOptions()
            change(&options)
        }
    }

    static let threeLines =
        "2024-06-01T10:00:00.1Z stdout F one\n2024-06-01T10:00:01.25Z stderr F two\n2024-06-01T10:00:02.123456789Z stdout F three\n"

    static let cases = [
        Case("both streams in the order of the file", threeLines, "one\ntwo\nthree\n"),
        Case("parts are joined", "2024-06-01T10:00:00Z stdout P ab\n2024-06-01T10:00:01Z stdout F cd\n", "abcd\n"),
        Case("a part with more tags", "2024-06-01T10:00:00Z stdout P:x:y ab\n2024-06-01T10:00:01Z stdout F:z cd\n", "abcd\n"),
        Case("an empty line is a line", "2024-06-01T10:00:00Z stdout F \n2024-06-01T10:00:01Z stdout F x\n", "\nx\n"),
        Case("lines of another form are left out", "nonsense\n\n2024-06-01T10:00:00Z stdin F no\n" + threeLines, "one\ntwo\nthree\n"),
        Case("a last line without its newline", "2024-06-01T10:00:00Z stdout F one\n2024-06-01T10:00:01Z stdout F half", "one\nhalf"),
        Case("blanks and carriage returns stay", "2024-06-01T10:00:00Z stdout F  a  b \r\n", " a  b \r\n"),
        Case(
            "times have nine digits", threeLines,
            "2024-06-01T10:00:00.100000000Z one\n2024-06-01T10:00:01.250000000Z two\n2024-06-01T10:00:02.123456789Z three\n"
        ) { $0.hasTimestamps = true },
        Case("times keep their zone", "2024-06-01T10:00:00+02:00 stdout F x\n", "2024-06-01T10:00:00.000000000+02:00 x\n") {
            $0.hasTimestamps = true
        },
        Case(
            "only the first part of a line has a time", "2024-06-01T10:00:00Z stdout P ab\n2024-06-01T10:00:01Z stdout F cd\n",
            "2024-06-01T10:00:00.000000000Z abcd\n"
        ) { $0.hasTimestamps = true },
        Case("from a time on, that time too", threeLines, "two\nthree\n") { $0.since = Timestamp(rfc3339: "2024-06-01T10:00:01.25Z") },
        Case("from a time that never comes", threeLines, "") { $0.since = Timestamp(rfc3339: "2030-01-01T00:00:00Z") },
        Case("the last line", threeLines, "three\n") { $0.tailLines = 1 },
        Case("the last two lines", threeLines, "two\nthree\n") { $0.tailLines = 2 },
        Case("more lines than there are", threeLines, "one\ntwo\nthree\n") { $0.tailLines = 10 },
        Case("no lines at all", threeLines, "") { $0.tailLines = 0 },
        Case("cut in the middle of a line", threeLines, "one\ntw") { $0.limitBytes = 6 },
        Case("times count as bytes", threeLines, "2024-06") { ($0.limitBytes, $0.hasTimestamps) = (7, true) },
        Case("a limit beyond the end", threeLines, "one\ntwo\nthree\n") { $0.limitBytes = 1000 },
        Case("an empty log", "", ""),
    ]

    @Test(arguments: cases) func `the lines of a log as they are wanted`(_ one: Case) throws {
        let folder = try ScratchFolder()
        defer { folder.remove() }
        try folder.write("0.log", one.log)
        var reader = try LogReader(LogFile(path: folder.path("0.log")), one.options)
        var output: [UInt8] = []
        while !reader.isComplete, try reader.readBlock(into: &output) {}
        reader.finish(into: &output)
        #expect(String(decoding: output, as: UTF8.self) == one.output)
    }

    @Test func `a log of many blocks is read without loss, from any line on`() throws {
        let folder = try ScratchFolder()
        defer { folder.remove() }
        let lines = (0..<30_000).map { "line \($0) \(String(repeating: "x", count: $0 % 97))\n" }
        try folder.write("0.log", lines.map { "2024-06-01T10:00:00.123456789Z stdout F \($0)" }.joined())
        for tail in [nil, 1, 77, 29_999, 30_000, 40_000] as [Int64?] {
            var options = LogOptions()
            options.tailLines = tail
            var reader = try LogReader(LogFile(path: folder.path("0.log")), options)
            var output: [UInt8] = []
            var largest = 0
            var whole: [UInt8] = []
            while try reader.readBlock(into: &output) {
                largest = max(largest, output.count)
                whole += output
                output = []
            }
            #expect(whole == Array(lines.suffix(Int(tail ?? 30_000)).joined().utf8))
            #expect(largest <= 64 * 1024 + 16 * 1024)
        }
    }

    @Test func `a line without end is skipped and the next one is read`() throws {
        let folder = try ScratchFolder()
        defer { folder.remove() }
        let endless = "2024-06-01T10:00:00Z stdout F " + String(repeating: "y", count: 3 << 20)
        try folder.write("0.log", endless + "\n2024-06-01T10:00:00Z stdout F after\n")
        var reader = try LogReader(LogFile(path: folder.path("0.log")), LogOptions())
        var output: [UInt8] = []
        while try reader.readBlock(into: &output) {}
        #expect(String(decoding: output, as: UTF8.self) == "after\n")
    }
}

/// Options as a query has them.
struct LogOptionTests {
    private static func options(_ query: String) throws -> LogOptions {
        let request = try #require(ServedRequest(.init(method: "GET", target: "/containerLogs/n/p/c?\(query)")))
        return try LogOptions(request, now: Timestamp(seconds: 1000))
    }

    @Test func `every option is understood`() throws {
        let all = try Self.options(
            "follow=true&previous=1&timestamps=&tailLines=5&limitBytes=9&sinceSeconds=60&container=c&insecureSkipTLSVerifyBackend=true")
        #expect(all.follows && all.isPrevious && all.hasTimestamps)
        #expect(all.tailLines == 5 && all.limitBytes == 9)
        #expect(all.since == Timestamp(seconds: 940))
        let none = try Self.options("follow=false&previous=0&timestamps=False&tail=all&tailLines=3")
        #expect(none == LogOptions())
        #expect(try Self.options("tail=7").tailLines == 7)
        #expect(try Self.options("sinceTime=1970-01-01T00:10:00Z").since == Timestamp(seconds: 600))
        #expect(try Self.options("sinceTime=").since == nil)
    }

    @Test(arguments: [
        ("tailLines=x", 400), ("limitBytes=", 400), ("sinceTime=yesterday", 400), ("tail=few", 400), ("tailLines=-1", 422), ("limitBytes=0", 422),
        ("sinceSeconds=0", 422), ("sinceSeconds=1&sinceTime=1970-01-01T00:10:00Z", 422), ("tailLines=99999999999999999999", 400),
    ]) func `what cannot be is refused`(query: String, status: Int) {
        do {
            _ = try Self.options(query)
            Issue.record("\(query) was taken")
        } catch let failure as ServedFailure {
            #expect(failure.status == status)
            #expect(failure.message == (status == 400 ? #"{"message": "Unable to decode query."}"# : #"{"message": "Invalid request."}"#))
        } catch { Issue.record(error) }
    }
}

/// When a follower goes over to a new file and when it looks at the container.
struct FollowPaceTests {
    @Test func `the container is looked at in the beginning, after a close with growing pauses, and else seldom`() {
        var pace = FollowPace()
        var now = Duration.seconds(100)
        #expect(pace.isLookDue(now))
        pace.looked(now)
        #expect(pace.deadline(now) == now + .seconds(10))
        pace.take(.written, now + .seconds(5))
        #expect(pace.deadline(now) == now + .seconds(15))
        pace.take([.closed, .written], now + .seconds(6))
        now += .seconds(6)
        #expect(pace.isLookDue(now))
        var pauses: [Duration] = []
        for _ in 0..<8 {
            pace.looked(now)
            pauses.append(pace.deadline(now) - now)
            now = pace.deadline(now)
        }
        #expect(
            pauses.prefix(6) == [
                .milliseconds(25), .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800),
            ])
        #expect(pauses.last == .seconds(10))
        pace.failed(now)
        #expect(pace.deadline(now) == now + .seconds(1))
    }

    @Test func `the old file is read until its writer lets go, or half a second`() throws {
        let folder = try ScratchFolder()
        defer { folder.remove() }
        try folder.write("0.log", "")
        let file = try LogFile(path: folder.path("0.log"))
        let now = Duration.seconds(100)
        var waiting = FollowPace()
        waiting.looked(now)
        waiting.begin(file, now)
        #expect(waiting.dueSuccessor(now) == nil)
        #expect(waiting.deadline(now) == now + .milliseconds(500))
        var closed = waiting
        closed.take(.closed, now + .milliseconds(3))
        #expect(closed.dueSuccessor(now + .milliseconds(3)) === file)
        #expect(waiting.dueSuccessor(now + .milliseconds(500)) === file)
        #expect(waiting.successor == nil)
        var late = FollowPace()
        late.take(.closed, now)
        late.begin(file, now)
        #expect(late.dueSuccessor(now) === file)
    }
}
