import DeliveryCore
import Testing

@Suite("What the cloud remembers of a node's reports")
struct ReportMemoryTests {
    @Test("a report is handled once; while its lane is busy everything on it waits")
    func once() {
        var memory = ReportMemory()
        memory.begin(epoch: 1)
        #expect(memory.take("a", lane: "t", epoch: 1) == .handle)
        #expect(memory.take("a", lane: "t", epoch: 1) == .wait)
        #expect(memory.take("b", lane: "t", epoch: 1) == .wait)
        #expect(memory.take("c", lane: "u", epoch: 1) == .handle)
        memory.finish("a", lane: "t", isTaken: true)
        #expect(memory.take("a", lane: "t", epoch: 1) == .handled)
        #expect(memory.take("b", lane: "t", epoch: 1) == .handle)
        memory.finish("b", lane: "t", isTaken: false)
        #expect(memory.take("b", lane: "t", epoch: 1) == .handle)
        #expect(memory.isBusy)
    }

    @Test("a newer session knows what older ones handled, and waits for what they are handling; what they have not begun is left to it")
    func sessions() {
        var memory = ReportMemory()
        memory.begin(epoch: 1)
        #expect(memory.take("a", lane: "t", epoch: 1) == .handle)
        memory.begin(epoch: 2)
        #expect(memory.take("b", lane: "u", epoch: 1) == .outdated)
        #expect(memory.take("a", lane: "t", epoch: 2) == .wait)
        memory.finish("a", lane: "t", isTaken: true)
        #expect(memory.take("a", lane: "t", epoch: 2) == .handled)
        memory.begin(epoch: 1)
        #expect(memory.take("c", lane: "t", epoch: 2) == .handle)
    }

    @Test("the memory is bounded: the oldest ids are forgotten")
    func bound() {
        var memory = ReportMemory(capacity: 3)
        for id in ["a", "b", "c", "d"] {
            #expect(memory.take(id, lane: "t", epoch: 0) == .handle)
            memory.finish(id, lane: "t", isTaken: true)
        }
        #expect(memory.take("d", lane: "t", epoch: 0) == .handled)
        #expect(memory.take("b", lane: "t", epoch: 0) == .handled)
        #expect(memory.take("a", lane: "t", epoch: 0) == .handle)
    }
}
