import KubeMachinery
import Primitives

/// What a pod asks of a node: the sum of its containers, or the largest of its init containers where that is more, and its overhead.
struct PodRequests {
    private(set) var amounts: [String: Quantity] = [:]

    init(_ pod: KubeObject) {
        for container in pod.spec["containers"].elements { add(Self.requests(container)) }
        var restartable: [String: Quantity] = [:]
        var peak: [String: Quantity] = [:]
        for container in pod.spec["initContainers"].elements {
            let own = Self.requests(container)
            if container["restartPolicy"].string == "Always" {
                restartable.merge(own, uniquingKeysWith: +)
                add(own)
                peak.merge(restartable) { max($0, $1) }
            } else {
                peak.merge(own.merging(restartable, uniquingKeysWith: +)) { max($0, $1) }
            }
        }
        amounts.merge(peak) { max($0, $1) }
        add(Self.quantities(pod.spec["overhead"]))
    }

    private mutating func add(_ more: [String: Quantity]) { amounts.merge(more, uniquingKeysWith: +) }

    /// A limit without a request is a request.
    private static func requests(_ container: JSONValue) -> [String: Quantity] {
        quantities(container.at("resources", "requests")).merging(quantities(container.at("resources", "limits"))) { request, _ in request }
    }

    static func quantities(_ list: JSONValue) -> [String: Quantity] {
        list.members.reduce(into: [:]) { result, member in
            result[member.key] = member.value.string.flatMap { Quantity($0) } ?? member.value.int.map { Quantity($0) }
        }
    }

    /// The ports of the host that the pod wants: protocol, address and number.
    static func hostPorts(_ pod: KubeObject) -> [HostPort] {
        pod.spec["containers"].elements.flatMap { $0["ports"].elements }.compactMap { port in
            let number = port["hostPort"].count ?? (pod.spec["hostNetwork"].bool == true ? port["containerPort"].count : nil)
            guard let number, number > 0 else { return nil }
            return HostPort(transport: port["protocol"].string ?? "TCP", address: port["hostIP"].string ?? "", number: number)
        }
    }

    struct HostPort {
        var transport: String
        var address: String
        var number: Int

        func collides(with other: HostPort) -> Bool {
            let isAny = [address, other.address].contains { $0.isEmpty || $0 == "0.0.0.0" }
            return transport == other.transport && number == other.number && (isAny || address == other.address)
        }
    }
}
