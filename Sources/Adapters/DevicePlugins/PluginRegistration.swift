import Glibc
import Primitives
import SwiftProtobuf

/// A plugin's socket in the registry directory (`spec/05 §29.4`).
final class PluginRegistration: Sendable {
    let path: String
    let inode: UInt64
    /// The socket is gone, or another one.
    let closing = Signal()

    init(path: String, inode: UInt64) {
        self.path = path
        self.inode = inode
    }
}

extension DevicePluginHost {
    /// Deals with the sockets that come and go in the registry directory.
    func followRegistry() async throws {
        let directory = configuration.registryDirectory
        while true {
            do {
                try CheckpointFile.makeDirectory(directory)
                try await DirectoryWatcher.follow(directory, group: group) { await self.compareRegistry() }
            } catch {
                try Task.checkCancellation()
                logger.warning("plugin registry is not watched: tried again in a minute", metadata: ["error": "\(error)"])
            }
            try await clock.wait(until: clock.now().uptime + .seconds(60))
        }
    }

    private func compareRegistry() {
        let directory = configuration.registryDirectory
        var present: [String: UInt64] = [:]
        for name in CheckpointFile.names(in: directory) where !name.hasPrefix(".") {
            if let inode = UnixSocket.inode("\(directory)/\(name)") { present["\(directory)/\(name)"] = inode }
        }
        for (path, registration) in registrations where present[path] != registration.inode {
            registrations[path] = nil
            registration.closing.set()
        }
        for (path, inode) in present where registrations[path] == nil {
            let registration = PluginRegistration(path: path, inode: inode)
            registrations[path] = registration
            begin(.registration(registration))
        }
    }

    /// Asks the plugin what it is and takes it on; tries again, more and more rarely, while its socket is there.
    func settle(_ registration: PluginRegistration) async {
        var retry = Backoff(initial: .milliseconds(500), limit: .seconds(120))
        var resource: String?
        while registrations[registration.path] === registration, !Task.isCancelled {
            do {
                resource = try await introduce(registration)
                break
            } catch {
                logger.info("plugin not registered", metadata: ["socket": "\(registration.path)", "error": "\(error)"])
                await registration.closing.wait(until: clock.now().uptime + retry.next(), clock: clock)
            }
        }
        guard let resource else { return }
        await registration.closing.wait()
        // Deregistered by taking its socket away; on a stop of the agent the link ends by itself.
        if !Task.isCancelled { links[resource]?.closing.set() }
    }

    /// Returns the resource that the plugin brings, nil where it is a plugin of another kind.
    private func introduce(_ registration: PluginRegistration) async throws -> String? {
        try await PluginClient.once(socket: registration.path, group: group) { client in
            let plugin: Pluginregistration_PluginInfo = try await client.call(
                .information, Pluginregistration_InfoRequest(), timeout: .seconds(10), waits: true)
            var answer = Pluginregistration_RegistrationStatus()
            do {
                guard plugin.type == "DevicePlugin" else {
                    throw DeviceFailure("no handler registered for plugin type: \(plugin.type) at socket \(registration.path)")
                }
                guard plugin.supportedVersions.contains("v1beta1") else {
                    throw DeviceFailure("device plugin \(plugin.name) supports \(plugin.supportedVersions), and the kubelet v1beta1 alone")
                }
                guard ResourceName.isExtended(plugin.name) else { throw DeviceFailure("invalid name of device plugin socket: \(plugin.name)") }
                try await self.connect(plugin.name, socket: plugin.endpoint.isEmpty ? registration.path : plugin.endpoint)
                answer.pluginRegistered = true
            } catch let failure as DeviceFailure {
                answer.error = failure.description
            }
            let _: Pluginregistration_RegistrationStatusResponse = try await client.call(.notification, answer, timeout: .seconds(10))
            if !answer.pluginRegistered, plugin.type == "DevicePlugin" { throw DeviceFailure(answer.error) }
            return answer.pluginRegistered ? plugin.name : nil
        }
    }
}
