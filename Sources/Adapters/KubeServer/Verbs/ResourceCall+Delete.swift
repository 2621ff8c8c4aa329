import KubeMachinery
import KubeResources
import Primitives

extension ResourceCall {
    func deleteOptions() throws -> DeleteOptions {
        let body = request.body.isEmpty ? JSONValue.null : try bodyJSON(accepting: ["application/json", "application/merge-patch+json"])
        return try DeleteOptions(body: body, query: query)
    }

    func delete() async throws -> APIResponse {
        let options = try deleteOptions()
        let key = try key()
        switch try await deleted(key, options) {
        case .pending(let object):
            return try respond(object)
        case .removed(let object):
            if Self.returnsRemoved.contains(groupResource) { return try respond(object) }
            var details: JSONValue = ["name": .string(key.name)]
            if !groupResource.group.isEmpty { details["group"] = .string(groupResource.group) }
            details["kind"] = .string(groupResource.resource)
            details["uid"] = .string(object.uid)
            return APIResponse(["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "details": details])
        }
    }

    /// Resources whose deletion answers with the object instead of a `Status`.
    private static let returnsRemoved: Set<GroupResource> = [
        Resources.pods.groupResource, Resources.services.groupResource, Resources.serviceAccounts.groupResource,
        Resources.persistentVolumes.groupResource, Resources.persistentVolumeClaims.groupResource,
    ]

    enum Deletion: Sendable {
        /// Grace or finalizers have still to pass.
        case pending(KubeObject)
        case removed(KubeObject)
    }

    /// Deletes one object, or marks it where grace or finalizers hold it.
    func deleted(_ key: ObjectKey, _ options: DeleteOptions) async throws -> Deletion {
        for attempt in 1... {
            guard let current = try await storage.object(groupResource, key) else { throw KubeStatus.notFound(groupResource, key.name) }
            try checkPreconditions(current, options)
            try server.admit(deleting: current, call: self)
            let marked = marked(current, options)
            do {
                if let marked {
                    if marked == current || options.isDryRun { return .pending(marked) }
                    let stored = try await storage.replace(groupResource, marked, expecting: current.resourceVersion)
                    await server.didWrite(groupResource)
                    return .pending(stored)
                }
                if options.isDryRun { return .removed(current) }
                let removed = try await storage.remove(groupResource, key, expecting: current.resourceVersion)
                await server.didWrite(groupResource, removed: removed)
                return .removed(removed)
            } catch let failure as KubeStatus where failure.isConflict && attempt < 10 {
                continue
            }
        }
        preconditionFailure("the loop above ends by return or throw")
    }

    private func checkPreconditions(_ current: KubeObject, _ options: DeleteOptions) throws {
        if let uid = options.uid, uid != current.uid {
            throw KubeStatus.conflict(
                groupResource, current.name, "Precondition failed: UID in precondition: \(uid), UID in object meta: \(current.uid)")
        }
        if let version = options.resourceVersion, version != current.resourceVersion {
            throw KubeStatus.conflict(
                groupResource, current.name,
                "Precondition failed: ResourceVersion in precondition: \(version), ResourceVersion in object meta: \(current.resourceVersion)")
        }
    }

    /// The object as it waits for its end; nil where nothing holds it.
    private func marked(_ current: KubeObject, _ options: DeleteOptions) -> KubeObject? {
        var marked = current
        switch options.propagation {
        case .orphan: marked.finalizers = current.finalizers.filter { $0 != Self.foreground } + [Self.orphan]
        case .foreground: marked.finalizers = current.finalizers.filter { $0 != Self.orphan } + [Self.foreground]
        case .background: marked.finalizers = current.finalizers.filter { $0 != Self.orphan && $0 != Self.foreground }
        case nil: break
        }
        marked.finalizers = marked.finalizers.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        let grace = gracePeriod(current, options)
        let now = server.clock.now().wall
        if current.metadata["deletionTimestamp"].isNull {
            guard grace > 0 || !marked.finalizers.isEmpty || Self.isHeldNamespace(current) else { return nil }
            marked.metadata["deletionTimestamp"] = .string((now + .seconds(grace)).rfc3339)
            marked.metadata["deletionGracePeriodSeconds"] = .integer(grace)
            if current.generation > 0 { marked.generation = current.generation + 1 }
            if Self.isHeldNamespace(current) { marked.status["phase"] = "Terminating" }
        } else {
            let running = current.deletionGracePeriodSeconds ?? 0
            if grace == 0, marked.finalizers.isEmpty, !Self.isHeldNamespace(current) { return nil }
            // A second deletion may shorten the grace, never lengthen it.
            if grace < running, options.gracePeriodSeconds != nil {
                let since = current.deletionTimestamp ?? now
                marked.metadata["deletionTimestamp"] = .string((since + .seconds(grace - running)).rfc3339)
                marked.metadata["deletionGracePeriodSeconds"] = .integer(grace)
                if current.generation > 0 { marked.generation = current.generation + 1 }
            }
        }
        return marked
    }

    static let orphan = "orphan"
    static let foreground = "foregroundDeletion"

    private static func isHeldNamespace(_ object: KubeObject) -> Bool {
        object.kind == "Namespace" && object.apiVersion == "v1" && !object.spec["finalizers"].elements.isEmpty
    }

    /// Seconds a pod on a node has left; nothing else is deleted gracefully.
    private func gracePeriod(_ current: KubeObject, _ options: DeleteOptions) -> Int64 {
        guard groupResource == Resources.pods.groupResource else { return 0 }
        let isOnNode = current.spec["nodeName"].string?.isEmpty == false
        let isOver = ["Succeeded", "Failed"].contains(current.status["phase"].string)
        guard isOnNode, !isOver else { return 0 }
        if let seconds = options.gracePeriodSeconds { return seconds }
        if let running = current.deletionGracePeriodSeconds { return running }
        return current.spec["terminationGracePeriodSeconds"].int.map { max($0, 1) } ?? 30
    }

    func deleteCollection() async throws -> APIResponse {
        let presenter = try presenter()
        let selection = try selection()
        let options = try deleteOptions()
        let page = try await page(selection)
        var deleted: [KubeObject] = []
        for object in page.objects {
            do {
                switch try await self.deleted(object.key, options) {
                case .pending(let object), .removed(let object): deleted.append(object)
                }
            } catch let failure as KubeStatus where failure.isNotFound {
                continue
            }
        }
        return APIResponse(presenter.list(deleted, metadata: ["resourceVersion": .string(String(page.revision))]))
    }
}
