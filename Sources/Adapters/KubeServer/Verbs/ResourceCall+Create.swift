import KubeMachinery
import KubeResources
import Primitives

extension ResourceCall {
    func create() async throws -> APIResponse {
        var object = try bodyObject()
        let warnings = try checkFields(&object)
        object = try await created(object)
        return try respond(object, status: 201, warnings: warnings)
    }

    /// Prepares, admits, validates and stores a new object.
    func created(_ given: KubeObject) async throws -> KubeObject {
        var object = given
        guard object.resourceVersion.isEmpty || object.resourceVersion == "0" else {
            throw KubeStatus.badRequest("resourceVersion should not be set on objects to be created")
        }
        object.resourceVersion = ""
        let base = object.metadata["generateName"].string ?? ""
        let isGenerated = object.name.isEmpty && !base.isEmpty
        for attempt in 1... {
            if isGenerated { object.name = GeneratedName.make(base: base) }
            do {
                return try await createdOnce(object)
            } catch let failure as KubeStatus where failure.isAlreadyExists && isGenerated && attempt < 8 {
                continue
            }
        }
        preconditionFailure("the loop above ends by return or throw")
    }

    private func createdOnce(_ given: KubeObject) async throws -> KubeObject {
        var object = given
        object.uid = UniqueID.next()
        object.metadata["creationTimestamp"] = .string(server.clock.now().wall.rfc3339)
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation"] { object.metadata.removeMember(field) }
        definition.prepareForCreate(&object)
        let admission = try await server.admit(creating: object, call: self)
        object = admission.object
        do {
            try definition.validate(object)
            try await server.checkEscalation(object, call: self)
            if isDryRun {
                if try await storage.object(groupResource, object.key) != nil {
                    throw KubeStatus.alreadyExists(groupResource, object.name)
                }
                await admission.withdraw()
                return object
            }
            let stored = try await storage.create(groupResource, object)
            await server.didWrite(groupResource)
            return stored
        } catch {
            await admission.withdraw()
            throw error
        }
    }
}

/// Names for `generateName`.
enum GeneratedName {
    /// Letters and digits that form no words by chance.
    private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")

    /// The base, shortened so that the name stays within 63 characters, and five characters of chance.
    static func make(base: String) -> String {
        String(base.prefix(58)) + suffix(5)
    }

    static func suffix(_ count: Int) -> String {
        String((0..<count).map { _ in alphabet[Int.random(in: alphabet.indices)] })
    }
}
