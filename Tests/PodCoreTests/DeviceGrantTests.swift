import Testing

@testable import PodCore

@Suite("what devices bring into a container")
struct DeviceGrantTests {
    @Test("what devices bring stands behind what the container and the kubelet say")
    func devices() {
        var plan = ContainerPlan()
        plan.environment = [("OWN", "1")]
        plan.annotations = ["kept": "kubelet"]
        plan.mounts = [MountPlan(containerPath: "/etc/hosts", hostPath: "/h", isReadOnly: false)]
        var grant = DeviceGrant()
        grant.environment = ["B": "2", "A": "1"]
        grant.annotations = ["kept": "plugin", "more": "plugin"]
        grant.mounts = [MountPlan(containerPath: "/dev/x", hostPath: "/x", isReadOnly: true)]
        var other = DeviceGrant()
        other.environment = ["A": "other", "C": "3"]
        other.mounts = [MountPlan(containerPath: "/dev/x", hostPath: "/y", isReadOnly: true)]
        other.devices = [DevicePlan(containerPath: "/dev/y", hostPath: "/dev/y", permissions: "r")]
        other.cdiDevices = ["v.com/c=n"]
        grant.add(other)
        plan.add(grant)
        #expect(plan.environment.map(\.name) == ["A", "B", "C", "OWN"] && plan.environment.map(\.value) == ["1", "2", "3", "1"])
        #expect(plan.annotations == ["kept": "kubelet", "more": "plugin"])
        #expect(plan.mounts.map(\.hostPath) == ["/x", "/h"] && plan.devices.count == 1 && plan.cdiDevices == ["v.com/c=n"])
    }
}
