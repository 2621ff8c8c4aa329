import Primitives

/// The kubelet's file `kubelet_internal_checkpoint`: who holds which devices, and the devices that plugins had (`spec/05 §29.3`).
///
/// The form is that of a kubelet 1.28, checksum and all, so that either agent reads what the other has written.
struct DeviceCheckpoint: Sendable, Hashable {
    static let fileName = "kubelet_internal_checkpoint"

    var assignments: [DeviceLedger.Claim: DeviceLedger.Assignment]
    /// Healthy devices by resource.
    var devices: [String: [String]]

    init(assignments: [DeviceLedger.Claim: DeviceLedger.Assignment], devices: [String: [String]]) {
        self.assignments = assignments
        self.devices = devices
    }

    init(_ ledger: DeviceLedger) {
        self.init(assignments: ledger.assignments, devices: ledger.resources.mapValues { $0.healthy.sorted() })
    }

    /// Reads a file; nil where it is damaged: no JSON, or another checksum than its content has.
    init?(_ bytes: [UInt8]) {
        guard let file = try? JSONValue(parsing: bytes) else { return nil }
        let data = file["Data"]
        var entries: [Entry] = []
        for entry in data["PodDeviceEntries"].elements {
            guard let entry = Entry(entry) else { return nil }
            entries.append(entry)
        }
        let devices: [String: [String]] = Dictionary(
            data["RegisteredDevices"].members.map { ($0.key, $0.value.elements.compactMap(\.string)) }, uniquingKeysWith: { $1 })
        guard file["Checksum"].int == Int64(Self.checksum(entries, devices, hasEntries: data["PodDeviceEntries"].array != nil)) else { return nil }
        self.init(assignments: Dictionary(entries.map { ($0.claim, $0.assignment) }, uniquingKeysWith: { $1 }), devices: devices)
    }

    var bytes: [UInt8] {
        let entries = assignments.map { Entry(claim: $0.key, assignment: $0.value) }.sorted { $0.order.lexicographicallyPrecedes($1.order) }
        var registered: JSONValue = [:]
        for (name, ids) in devices.sorted(by: { $0.key < $1.key }) { registered[name] = .array(ids.map { .string($0) }) }
        let file: JSONValue = [
            "Data": ["PodDeviceEntries": entries.isEmpty ? .null : .array(entries.map(\.json)), "RegisteredDevices": registered],
            "Checksum": .integer(Int64(Self.checksum(entries, devices, hasEntries: !entries.isEmpty))),
        ]
        return file.encoded(.goEscapes)
    }

    /// FNV-1a with 32 bits over Go's text of the data.
    private static func checksum(_ entries: [Entry], _ devices: [String: [String]], hasEntries: Bool) -> UInt32 {
        var text = "(checkpoint.checkpointData){PodDeviceEntries:([]checkpoint.PodDevicesEntry)"
        text += hasEntries ? "[\(entries.map(\.text).joined(separator: " "))]" : "<nil>"
        let registered = devices.sorted { $0.key < $1.key }.map { "\($0.key):[\($0.value.joined(separator: " "))]" }.joined(separator: " ")
        text += " RegisteredDevices:(map[string][]string)map[\(registered)]}"
        return text.utf8.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 }
    }
}

/// One line of the file.
private struct Entry {
    var claim: DeviceLedger.Claim
    var assignment: DeviceLedger.Assignment

    init(claim: DeviceLedger.Claim, assignment: DeviceLedger.Assignment) {
        self.claim = claim
        self.assignment = assignment
    }

    init?(_ json: JSONValue) {
        guard let uid = json["PodUID"].string, let container = json["ContainerName"].string, let resource = json["ResourceName"].string,
            let response = Base64.decode(json["AllocResp"].string ?? "")
        else { return nil }
        var devices: [Int64: [String]] = [:]
        for (node, ids) in json["DeviceIDs"].members {
            guard let node = Int64(node) else { return nil }
            devices[node] = ids.elements.compactMap(\.string)
        }
        self.init(
            claim: DeviceLedger.Claim(podUID: uid, container: container, resource: resource),
            assignment: DeviceLedger.Assignment(devices: devices, response: response))
    }

    var order: [String] { [claim.podUID, claim.container, claim.resource] }

    var json: JSONValue {
        var devices: JSONValue = [:]
        for (node, ids) in assignment.devices.sorted(by: { String($0.key) < String($1.key) }) {
            devices[String(node)] = .array(ids.map { .string($0) })
        }
        return [
            "PodUID": .string(claim.podUID), "ContainerName": .string(claim.container), "ResourceName": .string(claim.resource),
            "DeviceIDs": devices, "AllocResp": .string(Base64.encode(assignment.response)),
        ]
    }

    var text: String {
        let devices = assignment.devices.sorted { $0.key < $1.key }.map { "\($0.key):[\($0.value.joined(separator: " "))]" }
        let response = assignment.response.map { String($0) }.joined(separator: " ")
        return "{PodUID:(string)\(claim.podUID) ContainerName:(string)\(claim.container) ResourceName:(string)\(claim.resource) "
            + "DeviceIDs:(checkpoint.DevicesPerNUMA)map[\(devices.joined(separator: " "))] AllocResp:([]uint8)[\(response)]}"
    }
}
