package import KubeMachinery
import KubeResources
import Primitives
import Synchronization

/// The cluster addresses and node ports of services: 10.96.0.0/16 and 30000 to 32767.
///
/// One process serves the API, so what it has given away it knows by itself; at its start it reads the services.
package final class ServiceAddresses: Sendable {
    fileprivate struct State {
        var addresses: Set<UInt16> = []
        var ports: Set<Int64> = []
        var next: UInt16 = 10
    }

    private let state = Mutex(State())

    static let firstPort: Int64 = 30_000
    static let lastPort: Int64 = 32_767

    package init() {}

    /// Takes note of the services that exist.
    package func load(from storage: any ResourceStorage) async throws {
        let page = try await storage.list(Resources.services.groupResource, namespace: nil, limit: nil, after: nil)
        state.withLock { state in
            for service in page.objects { state.note(service) }
        }
    }

    /// Fills in what a service leaves to the cluster; 422 where it asks for what is taken.
    func assign(_ service: KubeObject) throws(KubeStatus) -> KubeObject {
        var service = service
        var causes: [(field: String, message: String)] = []
        state.withLock { state in
            var next = state
            next.assignAddress(&service, &causes)
            if causes.isEmpty { next.assignPorts(&service, &causes) }
            if causes.isEmpty { state = next }
        }
        if let cause = causes.first { throw Self.invalid(service, cause) }
        return service
    }

    private static func invalid(_ service: KubeObject, _ cause: (field: String, message: String)) -> KubeStatus {
        KubeStatus(
            code: 422, reason: "Invalid", message: "Service \"\(service.name)\" is invalid: \(cause.field): \(cause.message)",
            details: [
                "name": .string(service.name), "kind": "Service",
                "causes": [["reason": "FieldValueInvalid", "message": .string(cause.message), "field": .string(cause.field)]],
            ])
    }

    /// Gives numbers to the ports of a changed service that have none, and takes note of those it names anew.
    func assignPorts(_ service: KubeObject, over current: KubeObject) throws(KubeStatus) -> KubeObject {
        var service = service
        var causes: [(field: String, message: String)] = []
        state.withLock { state in
            var next = state
            for port in current.spec["ports"].elements { if let number = port["nodePort"].int { next.ports.remove(number) } }
            next.assignPorts(&service, &causes)
            if causes.isEmpty { state = next }
        }
        if let cause = causes.first { throw Self.invalid(service, cause) }
        return service
    }

    /// Gives back what a service held.
    func release(_ service: KubeObject) {
        state.withLock { state in
            for text in ServiceAddresses.addresses(of: service) { if let host = ServiceAddresses.host(text) { state.addresses.remove(host) } }
            for port in service.spec["ports"].elements { if let number = port["nodePort"].int { state.ports.remove(number) } }
        }
    }

    static func addresses(of service: KubeObject) -> [String] {
        let single = service.spec["clusterIP"].string.map { [$0] } ?? []
        return Array(Set(single + service.spec["clusterIPs"].strings))
    }

    /// The last two bytes of an address of the range.
    static func host(_ text: String) -> UInt16? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4, parts[0] == 10, parts[1] == 96, let third = parts[2], let fourth = parts[3] else { return nil }
        return UInt16(third) << 8 | UInt16(fourth)
    }
}

extension ServiceAddresses.State {
    fileprivate mutating func note(_ service: KubeObject) {
        for text in ServiceAddresses.addresses(of: service) { if let host = ServiceAddresses.host(text) { addresses.insert(host) } }
        for port in service.spec["ports"].elements { if let number = port["nodePort"].int, number > 0 { ports.insert(number) } }
    }

    fileprivate mutating func assignAddress(_ service: inout KubeObject, _ causes: inout [(field: String, message: String)]) {
        if service.spec["type"].string == "ExternalName" { return }
        let given = service.spec["clusterIP"].string ?? service.spec["clusterIPs"][0].string ?? ""
        if given.isEmpty {
            guard let host = freeHost() else {
                causes.append(("spec.clusterIPs", "Internal error: failed to allocate a serviceIP: range is full"))
                return
            }
            addresses.insert(host)
            service.spec["clusterIP"] = .string("10.96.\(host >> 8).\(host & 0xFF)")
        } else if given != "None" {
            guard let host = ServiceAddresses.host(given) else {
                causes.append(
                    (
                        "spec.clusterIPs",
                        "Invalid value: [\"\(given)\"]: failed to allocate IP \(given): the provided IP is not in the valid range. "
                            + "The range of valid IPs is 10.96.0.0/16"
                    ))
                return
            }
            guard addresses.insert(host).inserted else {
                causes.append(("spec.clusterIPs", "Invalid value: [\"\(given)\"]: failed to allocate IP \(given): provided IP is already allocated"))
                return
            }
            service.spec["clusterIP"] = .string(given)
        } else {
            service.spec["clusterIP"] = "None"
        }
        service.spec["clusterIPs"] = [service.spec["clusterIP"]]
        if service.spec["ipFamilies"].isNull { service.spec["ipFamilies"] = ["IPv4"] }
        if service.spec["ipFamilyPolicy"].isNull { service.spec["ipFamilyPolicy"] = "SingleStack" }
    }

    private mutating func freeHost() -> UInt16? {
        for _ in 0..<UInt16.max {
            let host = next
            next = next >= 0xFFFE ? 10 : next + 1
            if !addresses.contains(host) { return host }
        }
        return nil
    }

    fileprivate mutating func assignPorts(_ service: inout KubeObject, _ causes: inout [(field: String, message: String)]) {
        guard ["NodePort", "LoadBalancer"].contains(service.spec["type"].string), case .array(var list) = service.spec["ports"] else { return }
        for index in list.indices {
            if let given = list[index]["nodePort"].int, given > 0 {
                guard (ServiceAddresses.firstPort...ServiceAddresses.lastPort).contains(given) else {
                    causes.append(
                        (
                            "spec.ports[\(index)].nodePort",
                            "Invalid value: \(given): provided port is not in the valid range. "
                                + "The range of valid ports is 30000-32767"
                        ))
                    return
                }
                guard ports.insert(given).inserted else {
                    causes.append(("spec.ports[\(index)].nodePort", "Invalid value: \(given): provided port is already allocated"))
                    return
                }
            } else if let free = (ServiceAddresses.firstPort...ServiceAddresses.lastPort).first(where: { !ports.contains($0) }) {
                ports.insert(free)
                list[index]["nodePort"] = .integer(free)
            }
        }
        service.spec["ports"] = .array(list)
    }
}

extension Admission {
    /// A changed service keeps its address, and its ports their numbers; new ports get theirs.
    func admit(service: inout KubeObject, over current: KubeObject) throws {
        guard service.spec["type"].string != "ExternalName" else { return }
        if (service.spec["clusterIP"].string ?? "").isEmpty, current.spec["clusterIP"].string != nil {
            for field in ["clusterIP", "clusterIPs"] { service.spec.setMember(field, current.spec.member(field)) }
        }
        guard ["NodePort", "LoadBalancer"].contains(service.spec["type"].string), case .array(var ports) = service.spec["ports"] else { return }
        for index in ports.indices where (ports[index]["nodePort"].int ?? 0) == 0 {
            let known = current.spec["ports"].elements.first { $0["port"] == ports[index]["port"] && $0["protocol"] == ports[index]["protocol"] }
            if let number = known?["nodePort"].int, number > 0 { ports[index]["nodePort"] = .integer(number) }
        }
        service.spec["ports"] = .array(ports)
        service = try addresses.assignPorts(service, over: current)
    }

    func admit(service: KubeObject) async throws -> Outcome {
        let assigned = try addresses.assign(service)
        return Outcome(object: assigned, withdraw: { [addresses] in addresses.release(assigned) })
    }
}
