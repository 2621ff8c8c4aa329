import Testing

@testable import Edged

@Suite("The pace of looking at the runtime")
struct RelistPaceTests {
    private static func reads(_ pace: inout RelistPace, _ seconds: ClosedRange<Int>) -> Int {
        var count = 0
        for second in seconds where pace.isDue(.seconds(second)) { count += 1 }
        return count
    }

    @Test("every interval after news, every second one at rest")
    func pace() {
        var pace = RelistPace(interval: .seconds(1))
        pace.noteNews(.seconds(100))
        let busy = Self.reads(&pace, 101...130)
        let calm = Self.reads(&pace, 131...190)
        pace.noteNews(.seconds(190))
        let busyAgain = Self.reads(&pace, 191...200)
        #expect(busy == 30 && calm == 30 && busyAgain == 10)
    }

    @Test("a tick that comes late reads at once")
    func late() {
        var pace = RelistPace(interval: .seconds(1))
        let answers = [Duration.seconds(1000), .seconds(1001), .milliseconds(1_001_600)].map { pace.isDue($0) }
        #expect(answers == [true, false, true])
    }
}
