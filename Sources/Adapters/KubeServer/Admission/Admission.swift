package import KubeMachinery
import KubeResources
package import Primitives

/// What the server adds to new objects, and what it refuses beyond their own rules.
package struct Admission: Sendable {
    let storage: any ResourceStorage
    let clock: any MomentSource
    let addresses: ServiceAddresses

    package init(storage: any ResourceStorage, clock: any MomentSource, addresses: ServiceAddresses) {
        self.storage = storage
        self.clock = clock
        self.addresses = addresses
    }

    /// An admitted object, and how to give back what was reserved for it where it is not stored after all.
    package struct Outcome: Sendable {
        var object: KubeObject
        var withdraw: @Sendable () async -> Void = {}
    }

    func admit(creating object: KubeObject, _ resource: GroupResource, user: UserIdentity, isDryRun: Bool) async throws -> Outcome {
        try await checkNamespace(of: object, resource)
        var object = object
        switch resource {
        case Resources.namespaces.groupResource: admit(namespace: &object)
        case Resources.pods.groupResource: try await admit(pod: &object)
        case Resources.services.groupResource: return try await admit(service: object)
        case Resources.certificateSigningRequests.groupResource: admit(signingRequest: &object, user: user)
        default: break
        }
        return Outcome(object: object)
    }

    func admit(updating object: inout KubeObject, over current: KubeObject, _ resource: GroupResource) throws {
        if resource == Resources.services.groupResource { try admit(service: &object, over: current) }
    }

    func admit(deleting object: KubeObject, _ resource: GroupResource) throws {
        guard resource == Resources.namespaces.groupResource else { return }
        if ["default", "kube-system", "kube-public"].contains(object.name) {
            throw Self.forbidden(resource, object.name, "this namespace may not be deleted")
        }
        if object.status["phase"].string == "Terminating", !object.spec["finalizers"].elements.isEmpty {
            throw KubeStatus.conflict(
                resource, object.name,
                "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be "
                    + "purged by the system.")
        }
    }

    func didRemove(_ resource: GroupResource, _ object: KubeObject) {
        if resource == Resources.services.groupResource { addresses.release(object) }
    }

    static func forbidden(_ resource: GroupResource, _ name: String, _ cause: String, details extra: JSONValue = [:]) -> KubeStatus {
        var details: JSONValue = ["name": .string(name)]
        if !resource.group.isEmpty { details["group"] = .string(resource.group) }
        details["kind"] = .string(resource.resource)
        for (key, value) in extra.members { details[key] = value }
        return KubeStatus(code: 403, reason: "Forbidden", message: "\(resource) \"\(name)\" is forbidden: \(cause)", details: details)
    }
}

extension Admission {
    /// A namespace has to exist before anything is put into it, and takes nothing new while it ends.
    private func checkNamespace(of object: KubeObject, _ resource: GroupResource) async throws {
        guard let name = object.namespace else { return }
        let namespaces = Resources.namespaces.groupResource
        guard let namespace = try await storage.object(namespaces, ObjectKey(name: name)) else { throw KubeStatus.notFound(namespaces, name) }
        guard namespace.metadata["deletionTimestamp"].isNull else {
            throw Self.forbidden(
                resource, object.name, "unable to create new content in namespace \(name) because it is being terminated",
                details: [
                    "causes": [
                        [
                            "reason": "NamespaceTerminating", "message": .string("namespace \(name) is being terminated"),
                            "field": "metadata.namespace",
                        ]
                    ]
                ])
        }
    }

    private func admit(namespace: inout KubeObject) {
        namespace.metadata["labels"]["kubernetes.io/metadata.name"] = .string(namespace.name)
        if namespace.spec["finalizers"].elements.isEmpty { namespace.spec["finalizers"] = ["kubernetes"] }
        namespace.json["status"] = ["phase": "Active"]
    }

    /// The request speaks for whoever sent it, whatever it says itself.
    private func admit(signingRequest: inout KubeObject, user: UserIdentity) {
        signingRequest.spec["username"] = .string(user.name)
        signingRequest.spec["groups"] = JSONValue(user.groups)
        signingRequest.spec.setMember("uid", user.uid.isEmpty ? nil : .string(user.uid))
    }
}
