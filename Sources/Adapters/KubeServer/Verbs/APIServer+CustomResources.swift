import KubeMachinery
import KubeResources
import Primitives

/// What follows from a write of a CustomResourceDefinition.
extension APIServer {
    /// Establishes new definitions and serves what is established.
    func followDefinitions(removed: KubeObject?) async throws {
        if let removed { try await removeInstances(of: removed) }
        let resource = Resources.customResourceDefinitions.groupResource
        let page = try await storage.list(resource, namespace: nil, limit: nil, after: nil)
        for definition in page.objects {
            let others = page.objects.filter { $0.uid != definition.uid }.flatMap(CustomResources.resources)
            let status = CustomResources.establishedStatus(of: definition, others: others, now: clock.now().wall)
            guard status != definition.status else { continue }
            var established = definition
            established.json["status"] = status
            do {
                _ = try await storage.replace(resource, established, expecting: definition.resourceVersion)
            } catch let failure as KubeStatus where failure.isConflict || failure.isNotFound {
                // Whoever was faster comes through here too.
                continue
            }
        }
        try await catalogue.reload(from: storage)
    }

    /// Objects do not outlive the definition of their kind.
    private func removeInstances(of definition: KubeObject) async throws {
        let resource = GroupResource(group: definition.spec["group"].string ?? "", resource: definition.spec["names"]["plural"].string ?? "")
        for object in try await storage.list(resource, namespace: nil, limit: nil, after: nil).objects {
            do { _ = try await storage.remove(resource, object.key, expecting: nil) } catch let failure as KubeStatus where failure.isNotFound {
                continue
            }
        }
    }
}
