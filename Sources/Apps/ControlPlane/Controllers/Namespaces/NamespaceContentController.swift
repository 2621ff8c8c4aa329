import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Gives every namespace what pods in it rely on: the service account `default` and the certificate authority of the API.
struct NamespaceContentController: Sendable {
    let api: any KubeAPI
    let informers: InformerSet
    /// PEM.
    let rootCertificate: String
    let clock: any MomentSource
    let logger: Logger

    private static let certificateMap = "kube-root-ca.crt"

    func run() async throws {
        let reconciler = Reconciler<ObjectKey>(
            sources: [
                .init(informer: informers.namespaces) { [$0.object.key] },
                .init(informer: informers.serviceAccounts) { change in
                    guard case .deleted(let account) = change, account.name == "default" else { return [] }
                    return account.namespace.map { [ObjectKey(name: $0)] } ?? []
                },
                .init(informer: informers.configMaps) { change in
                    guard change.object.name == Self.certificateMap else { return [] }
                    if case .added = change { return [] }
                    return change.object.namespace.map { [ObjectKey(name: $0)] } ?? []
                },
            ], clock: clock, logger: logger, reconcile: reconcile)
        try await reconciler.run()
    }

    @Sendable private func reconcile(_ key: ObjectKey) async throws -> Duration? {
        guard let namespace = await informers.namespaces.object(key), !namespace.isTerminating else { return nil }
        if await informers.serviceAccounts.object(ObjectKey(namespace: key.name, name: "default")) == nil {
            try await create(Resources.serviceAccounts, KubeObject(apiVersion: "v1", kind: "ServiceAccount", namespace: key.name, name: "default"))
        }
        var map = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: key.name, name: Self.certificateMap)
        map.annotations = ["kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver."]
        map.json["data"] = ["ca.crt": .string(rootCertificate)]
        guard let existing = await informers.configMaps.object(map.key) else {
            try await create(Resources.configMaps, map)
            return nil
        }
        guard existing.json["data"] != map.json["data"] else { return nil }
        var corrected = existing
        corrected.json["data"] = map.json["data"]
        _ = try await api.update(Resources.configMaps, corrected)
        return nil
    }

    private func create(_ resource: GroupVersionResource, _ object: KubeObject) async throws {
        do { _ = try await api.create(resource, object) } catch let status as KubeStatus where status.isAlreadyExists { return }
    }
}
