import KubeMachinery
package import Primitives

/// Values of a pod's own fields for environment and files (`spec/05 §18.4–18.5`).
package struct FieldReference: Sendable {
    let pod: PodView
    let node: NodeFacts
    /// Addresses of the sandbox, or of the node for its own network.
    let addresses: [String]

    package init(pod: PodView, node: NodeFacts, addresses: [String]) {
        self.pod = pod
        self.node = node
        self.addresses = pod.usesHostNetwork ? node.addresses : addresses
    }

    /// The value of a `fieldPath`, nil for one that is not supported.
    package func value(_ path: String) -> String? {
        if let (field, key) = Self.subscripted(path) {
            switch field {
            case "metadata.labels": return pod.object.labels[key] ?? ""
            case "metadata.annotations": return pod.object.annotations[key] ?? ""
            default: return nil
            }
        }
        switch path {
        case "metadata.name": return pod.name
        case "metadata.namespace": return pod.namespace
        case "metadata.uid": return pod.uid
        case "metadata.labels": return Self.lines(pod.object.labels)
        case "metadata.annotations": return Self.lines(pod.object.annotations)
        case "spec.nodeName": return pod.nodeName
        case "spec.serviceAccountName": return pod.serviceAccountName
        case "spec.host": return pod.nodeName
        case "status.hostIP": return node.hostIP
        case "status.podIP": return AddressOrder.onePerFamily(addresses, first: node.hostIP).first ?? ""
        case "status.podIPs": return AddressOrder.onePerFamily(addresses, first: node.hostIP).joined(separator: ",")
        default: return nil
        }
    }

    /// The value of a `resourceFieldRef`, rounded up to its divisor; nil for one that is not supported.
    package func resource(_ reference: JSONValue, container: ContainerView?) -> String? {
        let named = reference["containerName"].string.flatMap { $0.isEmpty ? nil : $0 }.flatMap { pod.container(named: $0) }
        guard let container = named ?? container, let resource = reference["resource"].string else { return nil }
        let parts = resource.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[0] == "limits" || parts[0] == "requests" else { return nil }
        let name = parts[1]
        guard ["cpu", "memory", "ephemeral-storage"].contains(name) || name.hasPrefix("hugepages-") else { return nil }
        let amounts = parts[0] == "limits" ? container.limits : ResourceAmounts(json: container.resources["requests"])
        var amount = amounts[name] ?? 0
        if amount == 0, parts[0] == "limits" { amount = allocatable(name) }
        let divisor = reference["divisor"].string.flatMap(Quantity.init) ?? .zero
        var unit = name == "cpu" ? divisor.milliValue : divisor.value
        if unit <= 0 { unit = name == "cpu" ? 1000 : 1 }
        let (quotient, remainder) = amount.quotientAndRemainder(dividingBy: unit)
        return String(remainder > 0 ? quotient + 1 : quotient)
    }

    private func allocatable(_ name: String) -> Int64 {
        switch name {
        case "cpu": node.allocatableCPU
        case "memory": node.allocatableMemory
        case "ephemeral-storage": node.allocatableStorage
        default: node.allocatableOther[name] ?? 0
        }
    }

    /// `metadata.labels['key']` as its two parts.
    private static func subscripted(_ path: String) -> (String, String)? {
        guard path.hasSuffix("']"), let start = path.firstIndex(of: "[") else { return nil }
        let inner = path[path.index(after: start)...].dropLast(2)
        guard inner.first == "'" else { return nil }
        return (String(path[..<start]), String(inner.dropFirst()))
    }

    /// Lines of `key="value"`, sorted by key, quoted as Go quotes.
    private static func lines(_ map: [String: String]) -> String {
        map.sorted { $0.key < $1.key }.map { "\($0.key)=\(GoQuote.quote($0.value))" }.joined(separator: "\n")
    }
}

/// Text in double quotes as Go writes it.
enum GoQuote {
    static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{7}": result += "\\a"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\u{B}": result += "\\v"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    let hex = String(scalar.value, radix: 16)
                    result += "\\x" + (hex.count == 1 ? "0" : "") + hex
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
