import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// One informer for each resource that controllers watch, shared by all of them.
struct InformerSet: Sendable {
    let pods, nodes, leases, namespaces, services, endpoints, serviceAccounts, configMaps, deployments, replicaSets, daemonSets: Informer
    let definitions: Informer
    private let all: [Informer]

    init(api: any KubeAPI, clock: any MomentSource, logger: Logger) {
        var all: [Informer] = []
        func informer(_ resource: GroupVersionResource) -> Informer {
            let informer = Informer(api: api, resource: resource, clock: clock, logger: logger)
            all.append(informer)
            return informer
        }
        pods = informer(Resources.pods)
        nodes = informer(Resources.nodes)
        leases = Informer(
            api: api, resource: Resources.leases, query: ListQuery(namespace: "kube-node-lease"), clock: clock, logger: logger)
        namespaces = informer(Resources.namespaces)
        services = informer(Resources.services)
        endpoints = informer(Resources.endpoints)
        serviceAccounts = informer(Resources.serviceAccounts)
        configMaps = informer(Resources.configMaps)
        deployments = informer(Resources.deployments)
        replicaSets = informer(Resources.replicaSets)
        daemonSets = informer(Resources.daemonSets)
        definitions = informer(Resources.customResourceDefinitions)
        all.append(leases)
        self.all = all
    }

    /// The informer of a resource where there is one.
    func informer(_ resource: GroupVersionResource) -> Informer? {
        resource == Resources.leases ? nil : all.first { $0.resource == resource }
    }

    /// Runs all of them until cancelled.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for informer in all { group.addTask { try await informer.run() } }
            try await group.waitForAll()
        }
    }
}
