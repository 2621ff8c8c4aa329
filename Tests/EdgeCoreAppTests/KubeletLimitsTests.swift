import Edged
import KubeMachinery
import PodCore
import Primitives
import Supervision
import Testing
import YAMLDocuments

@testable import EdgeCoreApp

@Suite("Limits of the node in the configuration")
struct KubeletLimitsTests {
    private static func configuration(_ kubelet: String) throws -> EdgedConfiguration {
        let document = try YAML.parse("modules: {edged: {tailoredKubeletConfig: \(kubelet)}}")
        let host = HostFacts(name: "edge-7", address: "192.0.2.8")
        return EdgedConfiguration(try EdgeCoreConfiguration(document: document, host: host).edged)
    }

    @Test("an empty file gives the usual thresholds and keeps nothing back")
    func defaults() throws {
        let configuration = try Self.configuration("{}")
        #expect(configuration.eviction == EvictionSettings())
        #expect(configuration.reserved == ResourceAmounts() && configuration.enforcesAllocatable)
        #expect(configuration.oomScoreAdjust == -999 && configuration.podsPerCore == 0)
        #expect(configuration.evictionInterval == .seconds(10))
    }

    @Test("thresholds, graces and reservations reach the kubelet")
    func given() throws {
        let configuration = try Self.configuration(
            """
            {evictionHard: {memory.available: 5%, imagefs.available: 0%}, evictionSoft: {nodefs.available: 20Gi},
             evictionSoftGracePeriod: {nodefs.available: 1m30s}, evictionMinimumReclaim: {nodefs.available: 1Gi}, evictionMaxPodGracePeriod: 60,
             evictionPressureTransitionPeriod: 30s, kubeReserved: {cpu: 100m, memory: 64Mi, pid: "100"}, systemReserved: {cpu: "1", memory: 64Mi},
             enforceNodeAllocatable: [], podsPerCore: 10, localStorageCapacityIsolation: false}
            """)
        let settings = configuration.eviction
        #expect(settings.thresholds.map(\.signal) == [.memoryAvailable, .nodeSpace, .nodeInodes, .nodeSpace])
        #expect(settings.thresholds[0].amount == .share(0.05))
        #expect(settings.thresholds[3].grace == .seconds(90))
        #expect(settings.thresholds[3].reclaim == .quantity(Quantity(1 << 30, format: .binary)))
        #expect(settings.maximumPodGrace == .seconds(60) && settings.transition == .seconds(30) && !settings.limitsLocalStorage)
        #expect(configuration.reserved == ResourceAmounts(["cpu": 1100, "memory": 128 << 20, "pid": 100]))
        #expect(!configuration.enforcesAllocatable && configuration.podsPerCore == 10)
    }

    @Test(
        "thresholds that cannot be are refused before anything starts",
        arguments: [
            (#"{evictionHard: {memory.free: 1Mi}}"#, "unsupported eviction signal memory.free"),
            (#"{evictionSoft: {nodefs.available: 10%}}"#, "grace period must be specified for the soft eviction threshold nodefs.available"),
            (
                #"{evictionSoft: {nodefs.available: 10%}, evictionSoftGracePeriod: {nodefs.available: soon}}"#,
                "eviction grace period of nodefs.available is no duration such as 1m30s: soon"
            ),
        ])
    func refusals(kubelet: String, sentence: String) throws {
        let error = try #require(throws: ConfigurationError.self) { _ = try Self.configuration(kubelet) }
        #expect(error.problems.count == 1 && error.problems[0].message.contains(sentence))
    }
}
