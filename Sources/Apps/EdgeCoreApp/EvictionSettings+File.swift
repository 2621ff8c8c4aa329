package import PodCore
import Primitives
package import Supervision

extension EvictionSettings {
    /// The thresholds of `tailoredKubeletConfig`; throws the first thing that is wrong.
    package init(_ kubelet: ConfigurationSection) throws(EvictionSettingsFailure) {
        var graces: [String: Duration] = [:]
        for (signal, text) in kubelet.textMap("evictionSoftGracePeriod") {
            guard let grace = GoDuration.parse(text) else {
                throw EvictionSettingsFailure("eviction grace period of \(signal) is no duration such as 1m30s: \(text)")
            }
            graces[signal] = grace
        }
        try self.init(
            hard: kubelet.textMap("evictionHard"), soft: kubelet.textMap("evictionSoft"), softGrace: graces,
            minimumReclaim: kubelet.textMap("evictionMinimumReclaim"),
            enforcesAllocatable: kubelet.texts("enforceNodeAllocatable").contains("pods"))
        maximumPodGrace = kubelet.seconds("evictionMaxPodGracePeriod")
        transition = kubelet.duration("evictionPressureTransitionPeriod")
        limitsLocalStorage = kubelet.bool("localStorageCapacityIsolation")
    }
}

extension ResourceAmounts {
    /// `kubeReserved` and `systemReserved` together.
    init(reservedBy kubelet: ConfigurationSection) {
        self.init()
        for key in ["kubeReserved", "systemReserved"] {
            let part = ResourceAmounts(json: kubelet.values[key])
            amounts.merge(part.amounts) { Int64(clamping: Int128($0) + Int128($1)) }
        }
    }
}
