import KubeMachinery
import KubeResources
import Primitives

extension ResourceCall {
    func update(_ scope: UpdateScope) async throws -> APIResponse {
        let (object, warnings) = try checkedBody()
        let name = try key().name
        guard object.name == name else {
            throw KubeStatus.badRequest("the name of the object (\(object.name)) does not match the name on the URL (\(name))")
        }
        let stored = try await changed(scope) { _ in object }
        return try respond(stored, warnings: warnings)
    }

    private func checkedBody() throws -> (KubeObject, warnings: [String]) {
        var object = try bodyObject()
        let warnings = try checkFields(&object)
        return (object, warnings)
    }

    /// Changes the stored object until the change meets the version it was made from.
    ///
    /// `change` returns the object as the client wants it. A resourceVersion in it has to be the stored one;
    /// without one the change is repeated over whatever another writer stored meanwhile.
    func changed(_ scope: UpdateScope, _ change: (KubeObject) throws -> KubeObject) async throws -> KubeObject {
        let key = try key()
        for attempt in 1... {
            guard let current = try await storage.object(groupResource, key) else { throw KubeStatus.notFound(groupResource, key.name) }
            var desired = try change(current)
            let expected = desired.resourceVersion
            if !expected.isEmpty, expected != "0", expected != current.resourceVersion {
                throw KubeStatus.conflict(groupResource, key.name, Self.modifiedMeanwhile)
            }
            guard desired.uid.isEmpty || desired.uid == current.uid else {
                throw KubeStatus.conflict(
                    groupResource, key.name,
                    "Precondition failed: UID in precondition: \(desired.uid), UID in object meta: \(current.uid)")
            }
            if case .whole = scope { try server.admit(updating: &desired, over: current, call: self) }
            try prepare(&desired, over: current, scope)
            if desired == current { return current }
            try await server.checkEscalation(desired, call: self)
            if isDryRun { return desired }
            do {
                return try await write(desired, over: current)
            } catch let failure as KubeStatus where failure.isConflict && (expected.isEmpty || expected == "0") && attempt < 10 {
                continue
            }
        }
        preconditionFailure("the loop above ends by return or throw")
    }

    static let modifiedMeanwhile =
        "the object has been modified; please apply your changes to the latest version and try again"

    /// Keeps what a client may not change, resets the parts out of scope, sets defaults, and validates.
    private func prepare(_ desired: inout KubeObject, over current: KubeObject, _ scope: UpdateScope) throws {
        for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion", "generateName"]
        {
            desired.metadata.setMember(field, current.metadata.member(field))
        }
        switch scope {
        case .whole:
            definition.prepareForUpdate(&desired, from: current)
            try definition.validateUpdate(desired, from: current)
        case .status:
            definition.prepareForStatusUpdate(&desired, from: current)
        case .approval:
            desired = Self.taking(desired, over: current, [["status", "conditions"]])
        case .finalize:
            desired = Self.taking(desired, over: current, [["spec", "finalizers"]])
        case .ephemeralContainers:
            desired = Self.taking(desired, over: current, [["spec", "ephemeralContainers"]])
        case .binding:
            desired = Self.taking(desired, over: current, [["spec", "nodeName"], ["status", "conditions"], ["metadata", "annotations"]])
        }
    }

    /// The current object with only the members at two-level paths taken from the desired one.
    private static func taking(_ desired: KubeObject, over current: KubeObject, _ paths: [[String]]) -> KubeObject {
        var result = current
        for path in paths {
            result.json[path[0]].setMember(path[1], desired.json[path[0]].member(path[1]))
        }
        return result
    }

    /// Stores the new content, or removes the object where the change took its last finalizer.
    private func write(_ desired: KubeObject, over current: KubeObject) async throws -> KubeObject {
        let result: KubeObject
        if Self.isFinished(desired), !Self.isFinished(current) {
            result = try await storage.remove(groupResource, current.key, expecting: current.resourceVersion)
        } else {
            result = try await storage.replace(groupResource, desired, expecting: current.resourceVersion)
        }
        await server.didWrite(groupResource)
        return result
    }

    /// Whether a deletion has nothing more to wait for.
    static func isFinished(_ object: KubeObject) -> Bool {
        guard !object.metadata["deletionTimestamp"].isNull, object.finalizers.isEmpty else { return false }
        if object.kind == "Namespace", object.apiVersion == "v1", !object.spec["finalizers"].elements.isEmpty { return false }
        return (object.deletionGracePeriodSeconds ?? 0) == 0
    }
}
