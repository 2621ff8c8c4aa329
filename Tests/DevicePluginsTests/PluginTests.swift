import EdgeTesting
import Glibc
import KubeMachinery
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

@testable import DevicePlugins

/// Plugins over real unix sockets.
@Suite("device plugins", .serialized)
struct PluginTests {
    private static let camera = LedgerTests.camera

    /// A folder with a manager and a plugin of two cameras; both run while `body` does.
    private struct Bed: Sendable {
        let directory: String
        let clock = SystemClock()
        let group: MultiThreadedEventLoopGroup
        let plugin: SampleDevicePlugin
        let logger = Logger(label: "devices") { _ in SwiftLogNoOpLogHandler() }

        init() {
            directory = "/tmp/dp-\(UniqueID.next().prefix(8))"
            group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            plugin = SampleDevicePlugin(PluginTests.camera, directory: directory, devices: ["a": true, "b": true], group: group)
        }

        func manager() -> DevicePluginHost {
            DevicePluginHost(.init(registryDirectory: directory + "/registry", directory: directory), group: group, clock: clock, logger: logger)
        }

        func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
            let deadline = clock.now().uptime + .seconds(20)
            while try await !condition() {
                try #require(clock.now().uptime < deadline, what)
                try await clock.wait(until: clock.now().uptime + .milliseconds(5))
            }
        }

        func isListed(_ manager: DevicePluginHost, _ capacity: Int64, _ allocatable: Int64) async throws {
            try await eventually("\(capacity) devices of which \(allocatable) are healthy") {
                let amount = await manager.resources()[PluginTests.camera]
                return amount?.capacity == capacity && amount?.allocatable == allocatable
            }
        }
    }

    private func withBed(_ body: @Sendable @escaping (Bed) async throws -> Void) async throws {
        let bed = Bed()
        mkdir(bed.directory, 0o755)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try? await bed.plugin.run() }
            try await body(bed)
            tasks.cancelAll()
        }
        for name in CheckpointFile.names(in: bed.directory) where !name.hasPrefix(".") { unlink("\(bed.directory)/\(name)") }
        for name in CheckpointFile.names(in: bed.directory + "/registry") where !name.hasPrefix(".") { unlink("\(bed.directory)/registry/\(name)") }
        rmdir(bed.directory + "/registry")
        rmdir(bed.directory)
        try await bed.group.shutdownGracefully()
    }

    private func withManager(_ bed: Bed, _ body: @Sendable @escaping (DevicePluginHost) async throws -> Void) async throws {
        let manager = bed.manager()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { do { try await manager.run() } catch is CancellationError {} }
            try await body(manager)
            tasks.cancelAll()
        }
    }

    @Test func `a plugin registers, is asked for devices, and a restart of the agent keeps what containers hold`() async throws {
        try await withBed { bed in
            let pod = LedgerTests.pod("1", [1])
            try await withManager(bed) { manager in
                await bed.plugin.prefer(["b"])
                await bed.plugin.wantPreStart()
                try await bed.plugin.register()
                try await bed.isListed(manager, 2, 2)
                #expect(await manager.concerns(pod))
                try await manager.admit(pod, active: ["1"])
                let grant = try await manager.grant(pod.containers[0], of: pod)
                #expect(grant.environment == ["SAMPLE_CAMERA": "b"] && grant.annotations == ["sample/devices": "b"])
                #expect(await bed.plugin.allocations == [["b"]])
                #expect(await bed.plugin.preStarts == [["b"]])
                let question = try #require(await bed.plugin.preferenceQuestions.first)
                #expect(question.available == ["a", "b"] && question.mustInclude.isEmpty && question.size == 1)
                await bed.plugin.setHealth("a", false)
                try await bed.isListed(manager, 2, 1)
                let refusal = AdmissionRefusal(
                    reason: "UnexpectedAdmissionError",
                    message: "Allocate failed due to requested number of devices unavailable for example.com/camera. Requested: 1, Available: 0, "
                        + "which is unexpected")
                await #expect(throws: refusal) { try await manager.admit(LedgerTests.pod("2", [1]), active: ["1", "2"]) }
                // The first pod has ended: its camera goes to the next one.
                await bed.plugin.refuse("camera is busy")
                let busy = AdmissionRefusal(
                    reason: "UnexpectedAdmissionError",
                    message: "Allocate failed due to rpc error: code = Unknown desc = camera is busy, which is unexpected")
                await #expect(throws: busy) { try await manager.admit(LedgerTests.pod("3", [1]), active: ["3"]) }
                await bed.plugin.refuse(nil)
                try await manager.admit(pod, active: nil)
            }
            try await withManager(bed) { manager in
                #expect(await manager.resources() == [Self.camera: DeviceAmount(capacity: 0, allocatable: 0, held: 1)])
                let grant = try await manager.grant(pod.containers[0], of: pod)
                #expect(grant.environment == ["SAMPLE_CAMERA": "b"])
                try await bed.plugin.register()
                try await bed.isListed(manager, 2, 1)
                let allocations = await bed.plugin.allocations
                try await manager.admit(pod, active: ["1"])
                #expect(await bed.plugin.allocations == allocations)
            }
        }
    }

    @Test func `a plugin that goes away leaves no healthy device behind`() async throws {
        try await withBed { bed in
            let other = SampleDevicePlugin(Self.camera, directory: bed.directory, endpoint: "other.sock", devices: ["c": true], group: bed.group)
            try await withManager(bed) { manager in
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try? await other.run() }
                    try await other.register()
                    try await bed.isListed(manager, 1, 1)
                    tasks.cancelAll()
                }
                try await bed.isListed(manager, 1, 0)
                try await bed.plugin.register()
                try await bed.isListed(manager, 2, 2)
            }
        }
    }

    @Test func `what cannot be a plugin is refused with the reason`() async throws {
        try await withBed { bed in
            try await withManager(bed) { manager in
                func refusal(_ body: () async throws -> Void) async -> String {
                    do { try await body() } catch { return "\(error)" }
                    return ""
                }
                #expect(
                    await refusal { try await bed.plugin.register(version: "v1alpha") }.contains(
                        "requested API version \"v1alpha\" is not supported by kubelet"))
                let invalid = SampleDevicePlugin("camera", directory: bed.directory, devices: [:], group: bed.group)
                #expect(await refusal { try await invalid.register() }.contains("the ResourceName \"camera\" is invalid"))
                let stray = SampleDevicePlugin(Self.camera, directory: bed.directory, endpoint: "../x", devices: [:], group: bed.group)
                #expect(await refusal { try await stray.register() }.contains("is no name of a socket"))
                #expect(await manager.resources().isEmpty)
            }
        }
    }

    @Test func `a socket in the registry directory is a plugin as long as it is there`() async throws {
        try await withBed { bed in
            try await withManager(bed) { manager in
                let path = bed.directory + "/registry/camera-reg.sock"
                try await bed.eventually("the registry directory is there") { access(bed.directory + "/registry", F_OK) == 0 }
                let registration = SamplePluginRegistration(path: path, plugin: bed.plugin, group: bed.group)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try? await registration.run() }
                    for await outcome in registration.outcomes {
                        #expect(outcome.isEmpty)
                        break
                    }
                    try await bed.isListed(manager, 2, 2)
                    unlink(path)
                    try await bed.isListed(manager, 2, 0)
                    tasks.cancelAll()
                }
                let foreign = SamplePluginRegistration(path: path, plugin: bed.plugin, type: "CSIPlugin", group: bed.group)
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try? await foreign.run() }
                    for await outcome in foreign.outcomes {
                        #expect(outcome == "no handler registered for plugin type: CSIPlugin at socket \(path)")
                        break
                    }
                    tasks.cancelAll()
                }
            }
        }
    }

    @Test func `a socket that another program serves stays with it`() async throws {
        try await withBed { bed in
            try await withManager(bed) { manager in
                try await bed.plugin.register()
                try await bed.isListed(manager, 2, 2)
                let second = RegistrationServer(directory: bed.directory, group: bed.group) { _ throws(DeviceFailure) in }
                await #expect(throws: DeviceFailure.self) { try await second.run() }
                let other = SampleDevicePlugin(
                    "example.com/radio", directory: bed.directory, endpoint: "radio.sock", devices: ["r": true], group: bed.group)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try? await other.run() }
                    try await other.register()
                    try await bed.eventually("the first one still answers") { await manager.resources()["example.com/radio"]?.allocatable == 1 }
                    tasks.cancelAll()
                }
            }
        }
    }
}
