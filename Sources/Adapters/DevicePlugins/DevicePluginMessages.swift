import PodCore
import SwiftProtobuf

// The plugins' messages as values (`spec/05 §29.2`).

extension DeviceLedger.Device {
    init(_ message: V1beta1_Device) {
        self.init(isHealthy: message.health == "Healthy", nodes: message.topology.nodes.map(\.id))
    }
}

extension DeviceGrant {
    init(_ message: V1beta1_ContainerAllocateResponse) {
        self.init()
        environment = message.envs
        annotations = message.annotations
        mounts = message.mounts.map {
            MountPlan(containerPath: $0.containerPath, hostPath: $0.hostPath, isReadOnly: $0.readOnly)
        }
        devices = message.devices.map {
            DevicePlan(containerPath: $0.containerPath, hostPath: $0.hostPath, permissions: $0.permissions)
        }
        cdiDevices = message.cdiDevices.map(\.name)
    }

    /// Reads a stored `ContainerAllocateResponse`; nil where it is none.
    init?(response: [UInt8]) {
        guard let message = try? V1beta1_ContainerAllocateResponse(serializedBytes: response) else { return nil }
        self.init(message)
    }
}
