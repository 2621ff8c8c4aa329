import Testing

/// What chance meets now and then in `LineSimulation`, here at every place where it can happen.
@Suite("The line between cloud and edge, at every place where it can break")
struct DirectedScenarios {
    private typealias Script = [(seconds: Double, step: LineWorld.Step)]

    private static let breaks: [LineWorld.Step] = [.cut, .mute(.edge), .mute(.cloud), .stopCloud, .stopEdge, .loseStore]

    /// Runs a script; returns how many events it took.
    private func run(_ seed: UInt64, _ script: Script) -> Int {
        var world = LineWorld(seed: seed, script: script)
        world.run()
        if let violation = world.violations.first {
            Issue.record("seed \(seed), \(script): \(violation)\n\(world.history.joined(separator: "\n"))")
        }
        return world.eventCount
    }

    @Test("T51 a cloudcore that is killed at any time of a delivery loses nothing of it", arguments: ["Pod", "ConfigMap"])
    func killedInDelivery(kind: String) {
        for seed in UInt64(1)...3 {
            // The record, the message, its acknowledgement and the record again take a few tenths of a second, more on a slow link.
            for hundredth in stride(from: 0, to: 400, by: 4) {
                let kill = 10 + Double(hundredth) / 100
                #expect(run(seed, [(10, .create(kind)), (kill, .stopCloud)]) > 20)
                #expect(run(seed, [(5, .create(kind)), (10, .delete(kind)), (kill, .stopCloud)]) > 20)
            }
        }
    }

    @Test(
        "T56 an object that is deleted and made again under its name, in any order with breaks of the line, is what it is in the cluster",
        arguments: ["Pod", "ConfigMap", "Secret"])
    func recreation(kind: String) {
        let orders: [[LineWorld.Step]] = [
            [.create(kind), .delete(kind), .create(kind)],
            [.create(kind), .update(kind), .delete(kind), .create(kind), .update(kind)],
            [.create(kind), .delete(kind), .create(kind), .delete(kind)],
            [.create(kind), .delete(kind), .create(kind), .delete(kind), .create(kind)],
        ]
        for (number, order) in orders.enumerated() {
            for pause in [0.0, 0.05, 3, 40] {
                for place in 0...order.count {
                    for breaking in Self.breaks {
                        var script: Script = order.enumerated().map { (10 + Double($0.offset) * pause, $0.element) }
                        script.append((10 + (Double(place) - 0.5) * pause, breaking))
                        #expect(run(UInt64(number * 100 + place), script) > 20)
                    }
                }
            }
        }
    }

    @Test("an edge whose store is lost gets everything again, wherever the line breaks on the way", arguments: breaks)
    func lostStore(breaking: LineWorld.Step) {
        for seed in UInt64(1)...3 {
            for tenth in stride(from: 0, to: 150, by: 3) {
                let time = 40 + Double(tenth) / 10
                #expect(run(seed, [(5, .create("Pod")), (5, .create("ConfigMap")), (40, .loseStore), (time, breaking)]) > 20)
            }
        }
    }
}
