import Logging
import Primitives
import Supervision
import Synchronization
import Testing

@Suite("Gates, health, metrics and log lines")
struct RegistryTests {
    static let gates: [([String: Bool], Set<FeatureGates.Gate>)] = [
        ([:], []), (["moduleRestart": true], [.moduleRestart]), (["AllAlpha": true], [.moduleRestart, .requireAuthorization]),
        (["AllAlpha": true, "moduleRestart": false], [.requireAuthorization]), (["AllBeta": true], []),
        (["requireAuthorization": true, "AllAlpha": false], [.requireAuthorization]),
    ]

    @Test("feature gates", arguments: gates)
    func featureGates(settings: [String: Bool], expected: Set<FeatureGates.Gate>) throws {
        let gates = try FeatureGates(settings)
        #expect(Set(FeatureGates.Gate.allCases.filter(gates.isEnabled)) == expected)
    }

    @Test("a gate nobody knows is refused by name")
    func unknownGate() {
        let error = #expect(throws: FeatureGateError.self) { try FeatureGates(["modulerestart": true]) }
        #expect(error?.description == "unrecognized feature gate: modulerestart")
    }

    @Test("health is the worst of all modules, with one line each")
    func health() {
        let registry = HealthRegistry()
        registry.set("cloudhub", .starting("no certificate yet"))
        registry.set("api", .ready)
        #expect(registry.isHealthy)
        #expect(!registry.isReady)
        #expect(registry.report == "[+]api ok\n[-]cloudhub starting: no certificate yet\n")
        registry.set("cloudhub", .failing("port taken"))
        #expect(!registry.isHealthy)
        registry.set("cloudhub", .ready)
        #expect(registry.isReady)
    }

    @Test("metrics in Prometheus' text")
    func metrics() {
        let registry = MetricsRegistry()
        registry.gauge("nodes", help: "Nodes.").set(3)
        let messages = registry.counter("messages_total", help: "Messages.", labels: ["way": "a\"b\\\n"])
        messages.add()
        messages.add(1.5)
        let latency = registry.histogram("latency_seconds", help: "Latency.", buckets: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 4] { latency.observe(value) }
        #expect(
            registry.text == """
                # HELP latency_seconds Latency.
                # TYPE latency_seconds histogram
                latency_seconds_bucket{le="0.1"} 2
                latency_seconds_bucket{le="1"} 3
                latency_seconds_bucket{le="+Inf"} 4
                latency_seconds_sum 4.65
                latency_seconds_count 4
                # HELP messages_total Messages.
                # TYPE messages_total counter
                messages_total{way="a\\"b\\\\\\n"} 2.5
                # HELP nodes Nodes.
                # TYPE nodes gauge
                nodes 3

                """)
    }

    @Test("a log event is one line, whatever its values hold")
    func logLines() {
        let lines = Mutex<[String]>([])
        let logger = { (form: LineLogHandler.Form) in
            Logger(label: "cloudhub") { module in
                LineLogHandler(
                    module: module, level: .info, form: form, now: { Timestamp(seconds: 1_717_236_000, nanoseconds: 5_000) },
                    write: { bytes in lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } })
            }
        }
        let token = Redacted("secret")
        logger(.text).info("node connected", metadata: ["node": "edge-1", "cause": "a \"b\"\nc", "token": "\(token)", "empty": ""])
        logger(.text).debug("not shown")
        logger(.json).error("bad", metadata: ["node": "edge-1"])
        #expect(
            lines.withLock { $0 } == [
                "2024-06-01T10:00:00.000005Z info cloudhub node connected cause=\"a \\\"b\\\"\\nc\" empty=\"\" node=edge-1 token=<redacted>\n",
                #"{"time":"2024-06-01T10:00:00.000005Z","level":"error","module":"cloudhub","message":"bad","node":"edge-1"}"# + "\n",
            ])
    }
}
