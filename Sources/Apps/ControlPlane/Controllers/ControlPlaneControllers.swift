package import KubeMachinery
package import Logging
package import Primitives

/// The controllers of the embedded control plane: scheduler, workloads, nodes, namespaces, services and garbage collection.
///
/// They speak to the API like any client and hold nothing that a restart would lose.
package struct ControlPlaneControllers: Sendable {
    package struct Options: Sendable {
        /// Whether nodes with the label `node-role.kubernetes.io/edge` keep their pods while they are out of reach: they work on there.
        package var keepsPodsOnUnreachableEdgeNodes = true

        package init() {}
    }

    private let api: any KubeAPI
    private let rootCertificate: String
    private let options: Options
    private let clock: any MomentSource
    private let logger: Logger

    /// `rootCertificate` is the authority of the API's certificate, PEM, which every namespace gets as `kube-root-ca.crt`.
    package init(
        api: any KubeAPI, rootCertificate: String, options: Options = Options(), clock: any MomentSource = SystemClock(), logger: Logger
    ) {
        self.api = api
        self.rootCertificate = rootCertificate
        self.options = options
        self.clock = clock
        self.logger = logger
    }

    /// Runs all controllers until cancelled; failures of the API are waited out.
    package func run() async throws {
        let informers = InformerSet(api: api, clock: clock, logger: logger)
        func named(_ controller: String) -> Logger {
            var logger = logger
            logger[metadataKey: "controller"] = "\(controller)"
            return logger
        }
        let nodes = NodeLifecycleController(
            api: api, informers: informers, keepsEdgePods: options.keepsPodsOnUnreachableEdgeNodes, clock: clock, logger: named("node-lifecycle"))
        let content = NamespaceContentController(
            api: api, informers: informers, rootCertificate: rootCertificate, clock: clock, logger: named("namespace-content"))
        let scheduler = Scheduler(api: api, informers: informers, clock: clock, logger: named("scheduler"))
        let deployments = DeploymentController(api: api, informers: informers, clock: clock, logger: named("deployment"))
        let replicaSets = ReplicaSetController(api: api, informers: informers, clock: clock, logger: named("replicaset"))
        let daemonSets = DaemonSetController(api: api, informers: informers, clock: clock, logger: named("daemonset"))
        let namespaces = NamespaceController(api: api, informers: informers, clock: clock, logger: named("namespace"))
        let pods = PodCollector(api: api, informers: informers, clock: clock, logger: named("pod-collector"))
        let garbage = GarbageCollector(api: api, informers: informers, clock: clock, logger: named("garbage-collector"))
        let endpoints = EndpointsController(api: api, informers: informers, clock: clock, logger: named("endpoints"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await informers.run() }
            group.addTask { try await scheduler.run() }
            group.addTask { try await deployments.run() }
            group.addTask { try await replicaSets.run() }
            group.addTask { try await daemonSets.run() }
            group.addTask { try await content.run() }
            group.addTask { try await namespaces.run() }
            group.addTask { try await nodes.run() }
            group.addTask { try await pods.run() }
            group.addTask { try await garbage.run() }
            group.addTask { try await endpoints.run() }
            try await group.waitForAll()
        }
    }
}
