import NIOPosix
import Primitives
import SwiftProtobuf

/// A plugin that brings one resource, as long as its connection lives.
final class PluginLink: Sendable {
    let resource: String
    let client: PluginClient
    /// Ends the link.
    let closing = Signal()
    /// Whether the plugin was taken on, once.
    let outcome: AsyncStream<DeviceFailure?>.Continuation
    let outcomes: AsyncStream<DeviceFailure?>

    init(_ resource: String, socket path: String, group: MultiThreadedEventLoopGroup) throws(DeviceFailure) {
        self.resource = resource
        client = try PluginClient(socket: path, group: group)
        (outcomes, outcome) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func options() async throws(DeviceFailure) -> V1beta1_DevicePluginOptions {
        try await client.call(.options, V1beta1_Empty(), timeout: .seconds(10), waits: true)
    }

    func preference(among available: [String], mustInclude kept: [String], count: Int) async throws(DeviceFailure) -> [String] {
        var question = V1beta1_ContainerPreferredAllocationRequest()
        question.availableDeviceIds = available
        question.mustIncludeDeviceIds = kept
        question.allocationSize = Int32(clamping: count)
        var request = V1beta1_PreferredAllocationRequest()
        request.containerRequests = [question]
        let answer: V1beta1_PreferredAllocationResponse = try await client.call(.preferredAllocation, request, timeout: .seconds(30))
        return answer.containerResponses.first?.deviceIds ?? []
    }

    /// Returns the bytes of a `ContainerAllocateResponse`.
    func allocate(_ ids: [String]) async throws(DeviceFailure) -> [UInt8] {
        var question = V1beta1_ContainerAllocateRequest()
        question.devicesIds = ids
        var request = V1beta1_AllocateRequest()
        request.containerRequests = [question]
        let answer: V1beta1_AllocateResponse = try await client.call(.allocate, request, timeout: .seconds(120))
        guard let first = answer.containerResponses.first else {
            throw DeviceFailure("no containers return in allocation response of \(resource)")
        }
        do { return try first.serializedBytes() } catch { throw DeviceFailure("the answer of \(resource) cannot be kept: \(error)") }
    }

    func preStart(_ ids: [String]) async throws(DeviceFailure) {
        var request = V1beta1_PreStartContainerRequest()
        request.devicesIds = ids
        let _: V1beta1_PreStartContainerResponse = try await client.call(.preStart, request, timeout: .seconds(30))
    }
}

extension DevicePluginHost {
    /// Connects to a plugin; returns once its options are known.
    func connect(_ resource: String, socket path: String) async throws(DeviceFailure) {
        let link = try PluginLink(resource, socket: path, group: group)
        begin(.link(link))
        for await outcome in link.outcomes {
            if let outcome { throw outcome }
            return
        }
        throw DeviceFailure("the agent is stopping")
    }

    /// The whole life of a link.
    func live(_ link: PluginLink) async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                // Why the connection ended shows in the calls that needed it.
                try? await link.client.run()
                return false
            }
            group.addTask {
                await link.closing.wait()
                return true
            }
            group.addTask {
                await self.follow(link)
                return true
            }
            for await isOver in group where isOver { group.cancelAll() }
        }
        link.outcome.finish()
        lost(link)
    }

    private func follow(_ link: PluginLink) async {
        do {
            let options = try await link.options()
            adopt(link, options)
            link.outcome.yield(nil)
            try await link.client.watch { devices in await self.take(devices, from: link) }
        } catch let failure as DeviceFailure {
            link.outcome.yield(DeviceFailure("failed to get device plugin options: \(failure)"))
        } catch {
            logger.info("list of devices ended", metadata: ["resource": "\(link.resource)", "error": "\(error)"])
        }
    }

    private func adopt(_ link: PluginLink, _ options: V1beta1_DevicePluginOptions) {
        links[link.resource]?.closing.set()
        links[link.resource] = link
        ledger.registered(
            link.resource, needsPreStart: options.preStartRequired, hasPreference: options.getPreferredAllocationAvailable)
        logger.info("device plugin registered", metadata: ["resource": "\(link.resource)"])
    }

    private func take(_ devices: [String: DeviceLedger.Device], from link: PluginLink) {
        guard links[link.resource] === link else { return }
        ledger.listed(link.resource, devices)
        writeCheckpoint()
        logger.info(
            "devices listed",
            metadata: ["resource": "\(link.resource)", "devices": "\(devices.count)", "healthy": "\(devices.values.count(where: \.isHealthy))"])
    }

    /// Another link may have taken over meanwhile.
    private func lost(_ link: PluginLink) {
        guard links[link.resource] === link else { return }
        links[link.resource] = nil
        ledger.stopped(link.resource, now: clock.now().uptime)
        logger.warning(
            "device plugin is gone: its devices count as unhealthy until it registers again", metadata: ["resource": "\(link.resource)"])
    }
}
