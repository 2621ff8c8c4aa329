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
        #expect(Self.reads(&pace, 101...130) == 30)
        #expect(Self.reads(&pace, 131...190) == 30)
        pace.noteNews(.seconds(190))
        #expect(Self.reads(&pace, 191...200) == 10)
    }

    @Test("a tick that comes late reads at once")
    func late() {
        var pace = RelistPace(interval: .seconds(1))
        #expect(pace.isDue(.seconds(1000)))
        #expect(!pace.isDue(.seconds(1001)))
        #expect(pace.isDue(.milliseconds(1_001_600)))
    }
}
