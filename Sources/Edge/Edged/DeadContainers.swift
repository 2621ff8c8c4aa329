import ContainerRuntime
import PodCore

extension PodContext {
    /// Removes an ended container, its logs, and the link to them.
    func removeDead(_ container: ContainerState) async throws {
        try await runtime.removeContainer(container.id)
        guard let log = ContainerLog(container) else { return }
        for name in try logs.contents(log.directory) where log.owns(name) { try logs.remove("\(log.directory)/\(name)") }
        LogLinks(self).remove(endingIn: "\(container.name)-\(container.id).log")
    }
}
