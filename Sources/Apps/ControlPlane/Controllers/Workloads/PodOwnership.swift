import KubeMachinery
import KubeResources
import Primitives

/// Which objects a controller has, takes on and lets go of.
struct OwnershipPlan {
    /// Controlled and selected, those adopted now included.
    var owned: [KubeObject] = []
    var adopted: [KubeObject] = []
    var released: [KubeObject] = []

    init(owner: KubeObject, selector: LabelSelector, candidates: [KubeObject]) {
        for candidate in candidates {
            if candidate.isOwned(by: owner) {
                if selector.matches(candidate) { owned.append(candidate) } else { released.append(candidate) }
            } else if candidate.controller == nil, !candidate.isTerminating, !candidate.isFinished, !owner.isTerminating,
                !selector.isEverything, selector.matches(candidate)
            {
                adopted.append(candidate)
                owned.append(candidate)
            }
        }
    }

    /// Writes adoptions and releases to the API.
    func perform(_ api: any KubeAPI, _ resource: GroupVersionResource, owner: KubeObject) async throws {
        for object in adopted {
            let patch: JSONValue = ["metadata": ["uid": .string(object.uid), "ownerReferences": [owner.controllerReference]]]
            _ = try await api.patch(resource, object.key, patch, .strategic)
        }
        for object in released where !object.isTerminating {
            let patch: JSONValue = [
                "metadata": ["uid": .string(object.uid), "ownerReferences": [["$patch": "delete", "uid": .string(owner.uid)]]]
            ]
            _ = try await api.patch(resource, object.key, patch, .strategic)
        }
    }
}
