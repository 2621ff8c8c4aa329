package import Primitives

/// The quality-of-service class of a pod, from what its containers ask for.
package enum PodQuality: String, Sendable {
    case guaranteed = "Guaranteed", burstable = "Burstable", bestEffort = "BestEffort"

    /// Guaranteed: every container limits CPU and memory and requests as much. Best effort: nobody asks for anything.
    package static func of(_ spec: JSONValue) -> PodQuality {
        let containers = spec["containers"].elements + spec["initContainers"].elements
        let names = ["cpu", "memory"]
        var isGuaranteed = !containers.isEmpty
        var isBestEffort = true
        for container in containers {
            let limits = container.at("resources", "limits")
            let requests = container.at("resources", "requests")
            for name in names {
                let limit = amount(limits[name])
                // A limit without a request is a request of as much.
                let request = requests.member(name).map(amount) ?? limit
                if limit != nil || request != nil { isBestEffort = false }
                if limit == nil || limit != request { isGuaranteed = false }
            }
        }
        return isBestEffort ? .bestEffort : isGuaranteed ? .guaranteed : .burstable
    }

    /// A quantity as text; nil where there is none or it is zero.
    private static func amount(_ value: JSONValue) -> String? {
        let text = value.string ?? value.int.map(String.init) ?? ""
        return text.isEmpty || text == "0" ? nil : text
    }
}
