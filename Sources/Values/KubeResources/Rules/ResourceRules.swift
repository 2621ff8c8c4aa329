package import KubeMachinery

/// What the API does with objects of a kind beside storing them.
package struct ResourceRules: Sendable {
    /// Fills in what the user left out.
    package var applyDefaults: @Sendable (inout KubeObject) -> Void = { _ in }
    /// Everything that is wrong with a complete object, its metadata aside.
    package var validate: @Sendable (KubeObject) -> FieldErrors = { _ in FieldErrors() }
    /// Everything that is wrong with the change from the second object to the first.
    package var validateUpdate: @Sendable (_ new: KubeObject, _ old: KubeObject) -> FieldErrors = { _, _ in FieldErrors() }
    /// Changes that only the API makes, when an object is created.
    package var prepareForCreate: @Sendable (inout KubeObject) -> Void = { _ in }
    /// The same when an object is updated.
    package var prepareForUpdate: @Sendable (_ new: inout KubeObject, _ old: KubeObject) -> Void = { _, _ in }
    /// How names of this kind are checked.
    package var nameRule = NameRule.dnsSubdomain
    /// Whether `metadata.generation` counts the changes of `spec`.
    package var countsGenerations = false
    /// Whether who creates an object may give its status too, as nodes do.
    package var keepsStatusOnCreate = false

    package init() {}
}

extension ResourceDefinition {
    /// Makes an object from outside ready to be stored for the first time: kind, defaults, no status, generation 1.
    package func prepareForCreate(_ object: inout KubeObject) {
        object.apiVersion = apiVersion
        object.kind = kind
        if hasStatus, !rules.keepsStatusOnCreate { object.json.removeMember("status") }
        if rules.countsGenerations { object.generation = 1 } else { object.metadata.removeMember("generation") }
        rules.applyDefaults(&object)
        rules.prepareForCreate(&object)
    }

    /// Makes an update ready: what identifies the object and its status stay, the generation counts a changed spec.
    package func prepareForUpdate(_ object: inout KubeObject, from old: KubeObject) {
        keepIdentity(&object, old)
        if hasStatus { object.json.setMember("status", old.json.member("status")) }
        rules.applyDefaults(&object)
        rules.prepareForUpdate(&object, old)
        object.metadata.setMember("generation", old.metadata.member("generation"))
        if rules.countsGenerations, changesSpecification(object, old) { object.generation = old.generation + 1 }
    }

    /// Makes an update of the status ready: everything else stays, save the labels and annotations of built-in kinds.
    package func prepareForStatusUpdate(_ object: inout KubeObject, from old: KubeObject) {
        var result = old
        result.json.setMember("status", object.json.member("status"))
        result.resourceVersion = object.resourceVersion
        if structuralSchema == nil {
            for field in ["labels", "annotations"] { result.metadata.setMember(field, object.metadata.member(field)) }
        }
        object = result
        rules.applyDefaults(&object)
    }

    /// Throws 422 `Invalid` with every cause where an object may not be created.
    package func validate(_ object: KubeObject) throws(KubeStatus) {
        var errors = MetadataRules.check(object.metadata, isNamespaced: isNamespaced, name: rules.nameRule)
        errors.append(rules.validate(object))
        if let status = errors.status(kind: kind, group: resource.group, name: object.name) { throw status }
    }

    /// Throws 422 `Invalid` with every cause where an object may not become `object`.
    package func validateUpdate(_ object: KubeObject, from old: KubeObject) throws(KubeStatus) {
        var errors = MetadataRules.checkUpdate(object.metadata, from: old.metadata)
        errors.append(MetadataRules.check(object.metadata, isNamespaced: isNamespaced, name: rules.nameRule))
        errors.append(rules.validateUpdate(object, old))
        errors.append(rules.validate(object))
        if let status = errors.status(kind: kind, group: resource.group, name: object.name) { throw status }
    }

    private func keepIdentity(_ object: inout KubeObject, _ old: KubeObject) {
        object.apiVersion = apiVersion
        object.kind = kind
        for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            object.metadata.setMember(field, old.metadata.member(field))
        }
        if object.uid.isEmpty { object.metadata.setMember("uid", old.metadata.member("uid")) }
        object.metadata.removeMember("generateName")
        object.metadata.setMember("generateName", old.metadata.member("generateName"))
    }

    private func changesSpecification(_ object: KubeObject, _ old: KubeObject) -> Bool {
        var one = object.json.members
        var other = old.json.members
        for field in ["metadata", "status", "apiVersion", "kind"] {
            one.removeValue(forKey: field)
            other.removeValue(forKey: field)
        }
        return one != other || object.metadata["deletionTimestamp"] != old.metadata["deletionTimestamp"]
    }
}
