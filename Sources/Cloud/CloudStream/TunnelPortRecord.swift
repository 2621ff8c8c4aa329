package import KubeMachinery
import KubeResources
import Primitives

/// The ports that stand for kubelets, one for each address of a cloudcore, kept in ConfigMap `kubeedge/tunnelport` (`spec/01 §9.7`).
///
/// The redirection of the cluster's nodes is made from this record, so its form is upstream's.
package struct TunnelPortRecord: Sendable, Hashable {
    static let key = ObjectKey(namespace: "kubeedge", name: "tunnelport")
    static let annotation = "tunnelportrecord.kubeedge.io"
    package var ports: [String: Int]

    package init(ports: [String: Int] = [:]) { self.ports = ports }

    init(_ object: KubeObject) {
        let json = object.annotations[Self.annotation].flatMap { try? JSONValue(parsing: $0) } ?? .null
        ports = [:]
        for (address, port) in json["ipTunnelPort"].members { if let port = port.int { ports[address] = Int(port) } }
    }

    /// The port of an address: the one it has, else the lowest free one above `base`.
    package mutating func port(of address: String, above base: Int) -> Int {
        if let port = ports[address] { return port }
        let taken = Set(ports.values)
        var port = base + 1
        while taken.contains(port) { port += 1 }
        ports[address] = port
        return port
    }

    var text: String {
        let byAddress = ports.sorted { $0.key < $1.key }
        return JSONValue.object([
            "ipTunnelPort": .object(JSONObject(uniqueKeysWithValues: byAddress.map { ($0.key, .integer(Int64($0.value))) })),
            "port": .object(JSONObject(uniqueKeysWithValues: Set(ports.values).sorted().map { (String($0), .bool(true)) })),
        ]).text()
    }

    /// Claims the port of an address in the cluster's record. Another instance may claim at the same time: the API decides, and the later one
    /// tries again (D-57). Throws `KubeStatus`.
    package static func claim(_ address: String, above base: Int, api: any KubeAPI) async throws -> Int {
        var lastConflict: KubeStatus?
        for _ in 0..<10 {
            do {
                let existing = try await find(api)
                var record = existing.map { TunnelPortRecord($0) } ?? TunnelPortRecord()
                let port = record.port(of: address, above: base)
                if var object = existing {
                    guard object.annotations[annotation] != record.text else { return port }
                    object.metadata["annotations"][annotation] = .string(record.text)
                    _ = try await api.update(Resources.configMaps, object)
                } else {
                    var object = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: key.namespace, name: key.name)
                    object.metadata["annotations"] = JSONValue([annotation: record.text])
                    _ = try await api.create(Resources.configMaps, object)
                }
                return port
            } catch let status as KubeStatus where status.isConflict || status.isAlreadyExists {
                lastConflict = status
            }
        }
        throw lastConflict ?? KubeStatus.internalError("ConfigMap kubeedge/tunnelport is changed all the time")
    }

    /// The cluster's record; nil before the first claim. Throws `KubeStatus`.
    static func read(_ api: any KubeAPI) async throws -> TunnelPortRecord? { try await find(api).map { TunnelPortRecord($0) } }

    private static func find(_ api: any KubeAPI) async throws -> KubeObject? {
        do { return try await api.get(Resources.configMaps, key) } catch let status as KubeStatus where status.isNotFound { return nil }
    }
}
