import ContainerRuntime
import Glibc
import Logging
import PodCore
import Primitives

/// What every pod of the node shares.
struct PodContext: Sendable {
    let configuration: EdgedConfiguration
    let runtime: any RuntimeInterface
    let backend: any KubeletBackend
    let clock: any MomentSource
    let node: NodeState
    let images: ImageStore
    let cgroups: PodCgroups
    let handlers: any HandlerNetwork
    let events: any EventSink
    let meter: any KubeletMeter
    let devices: any DeviceAllocator
    let logger: Logger
    let starts: Turnstile
    /// Everything below `rootDirectory` and the pods' logs: nothing else on this machine is ever removed.
    let root: OwnDirectory
    let logs: OwnDirectory
}

extension Turnstile {
    /// Through which sandboxes and containers are made. They cost processor time: in a rush the first pods run early instead of all of them
    /// late, and a pod under way goes before one that has nothing yet. A runtime that hangs over one pod holds the others for two seconds.
    static func podStarts(clock: any MomentSource) -> Turnstile {
        Turnstile(places: 2 * max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), patience: Patience(.seconds(2), clock: clock))
    }
}

/// What is known of the node, for plans and status.
actor NodeState {
    private(set) var facts: NodeFacts
    /// Why pods with an address of their own cannot be made now; nil where they can.
    private(set) var networkProblem: String?

    init(_ facts: NodeFacts) { self.facts = facts }

    func update(_ change: @Sendable (inout NodeFacts) -> Void) { change(&facts) }
    func setNetworkProblem(_ problem: String?) { networkProblem = problem }
}
