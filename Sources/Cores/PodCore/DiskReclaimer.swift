/// Frees space of the node's disks before a pod has to give way (`spec/05 §25.4`).
package protocol DiskReclaimer: Sendable {
    /// Removes containers that have ended and are not needed to tell how their pod stands.
    func removeDeadContainers() async throws
    /// Removes every image that no container uses, as far as it is old enough.
    func removeUnusedImages() async throws
}
