package import KubeMachinery
import Primitives

/// Variables that tell a container of the services of its namespace (`enableServiceLinks`, `spec/05 §18.1`).
package enum ServiceVariables {
    /// The variables of services that have an address, in the order of their names: host, ports, and a link for each port.
    ///
    /// Of the API's own service nothing is said: its address leads nowhere at the edge, and where pods find the API there is set by 18.8.
    package static func variables(of services: [KubeObject]) -> [(name: String, value: String)] {
        services.filter { $0.namespace != "default" || $0.name != "kubernetes" }.sorted { $0.name < $1.name }.flatMap { variables(of: $0) }
    }

    private static func variables(of service: KubeObject) -> [(name: String, value: String)] {
        guard let address = service.spec["clusterIP"].string, !address.isEmpty, address != "None",
            let first = service.spec["ports"][0]["port"].int
        else { return [] }
        let prefix = variable(service.name)
        var variables = [("\(prefix)_SERVICE_HOST", address), ("\(prefix)_SERVICE_PORT", String(first))]
        for port in service.spec["ports"].elements {
            if let name = port["name"].string, !name.isEmpty, let number = port["port"].int {
                variables.append(("\(prefix)_SERVICE_PORT_\(variable(name))", String(number)))
            }
        }
        for (index, port) in service.spec["ports"].elements.enumerated() {
            guard let number = port["port"].int else { continue }
            let transport = port["protocol"].string ?? "TCP"
            let link = "\(transport.lowercased())://\(address.contains(":") ? "[\(address)]" : address):\(number)"
            let name = "\(prefix)_PORT_\(number)_\(transport.uppercased())"
            if index == 0 { variables.append(("\(prefix)_PORT", link)) }
            variables += [(name, link), ("\(name)_PROTO", transport.lowercased()), ("\(name)_PORT", String(number)), ("\(name)_ADDR", address)]
        }
        return variables
    }

    private static func variable(_ name: String) -> String { String(name.uppercased().map { $0 == "-" ? "_" : $0 }) }
}
