package import KubeMachinery
package import Primitives

/// CustomResourceDefinitions as resources of a server.
package enum CustomResources {
    /// The resources that an established definition adds: one for each served version; none before it is established.
    package static func resources(of definition: KubeObject) -> [ResourceDefinition] {
        guard isEstablished(definition) else { return [] }
        return definition.spec["versions"].elements.filter { $0["served"].bool == true }.map { resource(definition, version: $0) }
    }

    package static func isEstablished(_ definition: KubeObject) -> Bool {
        definition.status["conditions"].elements.contains { $0["type"].string == "Established" && $0["status"].string == "True" }
    }

    private static func resource(_ definition: KubeObject, version: JSONValue) -> ResourceDefinition {
        let names = definition.spec["names"]
        let schema = StructuralSchema(version["schema"]["openAPIV3Schema"].object == nil ? [:] : version["schema"]["openAPIV3Schema"])
        var subresources: [ResourceDefinition.Subresource] = []
        if version["subresources"]["scale"].object != nil { subresources.append(.scale) }
        if version["subresources"]["status"].object != nil { subresources.append(.status) }
        var resource = ResourceDefinition(
            GroupVersionResource(
                group: definition.spec["group"].string ?? "", version: version["name"].string ?? "", resource: names["plural"].string ?? ""),
            kind: names["kind"].string ?? "", singular: names["singular"].string, shortNames: names["shortNames"].strings,
            categories: names["categories"].strings, isNamespaced: definition.spec["scope"].string == "Namespaced",
            subresources: subresources, layout: layout(version["additionalPrinterColumns"].elements), rules: rules(schema),
            structuralSchema: schema)
        resource.scale = ScaleView(scale: version["subresources"]["scale"])
        resource.listKind = names["listKind"].string ?? resource.kind + "List"
        return resource
    }

    private static func rules(_ schema: StructuralSchema) -> ResourceRules {
        var rules = ResourceRules()
        rules.countsGenerations = true
        rules.applyDefaults = { object in object.json = schema.defaulted(schema.pruned(object.json).object) }
        rules.validate = { schema.check($0.json) }
        return rules
    }

    private static func layout(_ columns: [JSONValue]) -> TableLayout {
        guard !columns.isEmpty else {
            return TableLayout([TableText.nameColumn, TableText.ageColumn]) { object, now in [.string(object.name), TableText.age(object, now)] }
        }
        let paths = columns.map { ($0["type"].string ?? "string", JSONPath($0["jsonPath"].string ?? "")) }
        let shown = columns.map { column in
            TableColumn(
                column["name"].string ?? "", type: column["type"].string ?? "string", format: column["format"].string ?? "",
                details: column["description"].string ?? "", priority: Int(clamping: column["priority"].int ?? 0))
        }
        return TableLayout([TableText.nameColumn] + shown) { object, now in
            [.string(object.name)] + paths.map { type, path in cell(path?.values(in: object.json) ?? [], type: type, now: now) }
        }
    }

    private static func cell(_ values: [JSONValue], type: String, now: Timestamp) -> JSONValue {
        guard let first = values.first, !first.isNull else { return .null }
        switch type {
        case "integer", "number", "boolean": return first
        case "date": return .string(first.string.flatMap(Timestamp.init(rfc3339:)).map { AgeText.text(now - $0) } ?? "<invalid>")
        default: return .string(values.map { $0.string ?? $0.text() }.joined(separator: ","))
        }
    }
}

extension CustomResources {
    /// The status of a definition that was just stored or changed: accepted names, `NamesAccepted`, `Established`, stored versions.
    ///
    /// `others` are the resources of the other definitions, whose names are taken.
    package static func establishedStatus(of definition: KubeObject, others: [ResourceDefinition], now: Timestamp) -> JSONValue {
        let names = definition.spec["names"]
        let group = definition.spec["group"].string ?? ""
        let taken = others.filter { $0.resource.group == group }
        var problem: (reason: String, message: String)?
        for (reason, name) in [("PluralConflict", names["plural"].string ?? ""), ("SingularConflict", names["singular"].string ?? "")]
        where taken.contains(where: { $0.resource.resource == name || $0.singular == name }) {
            problem = problem ?? (reason, "\"\(name)\" is already in use")
        }
        if taken.contains(where: { $0.kind == names["kind"].string }) {
            problem = problem ?? ("KindConflict", "\"\(names["kind"].string ?? "")\" is already in use")
        }
        for name in names["shortNames"].strings where taken.contains(where: { $0.shortNames.contains(name) }) {
            problem = problem ?? ("ShortNamesConflict", "\"\(name)\" is already in use")
        }
        var conditions = definition.status["conditions"].elements
        func set(_ type: String, _ isTrue: Bool, _ reason: String, _ message: String) {
            let status = isTrue ? "True" : "False"
            let index = conditions.firstIndex { $0["type"].string == type }
            let old = index.map { conditions[$0] }
            let time = old?["status"].string == status ? old?["lastTransitionTime"] ?? .null : .string(now.rfc3339)
            let condition: JSONValue = [
                "type": .string(type), "status": .string(status), "lastTransitionTime": time, "reason": .string(reason),
                "message": .string(message),
            ]
            if let index { conditions[index] = condition } else { conditions.append(condition) }
        }
        let wasEstablished = isEstablished(definition)
        set("NamesAccepted", problem == nil, problem?.reason ?? "NoConflicts", problem?.message ?? "no conflicts found")
        if problem == nil {
            set("Established", true, "InitialNamesAccepted", "the initial names have been accepted")
        } else if !wasEstablished {
            set("Established", false, "NotAccepted", "not all names are accepted")
        }
        let storage = definition.spec["versions"].elements.first { $0["storage"].bool == true }?["name"].string
        var stored = definition.status["storedVersions"].strings
        if let storage, !stored.contains(storage) { stored.append(storage) }
        return [
            "conditions": .array(conditions), "acceptedNames": problem == nil ? names : definition.status["acceptedNames"],
            "storedVersions": JSONValue(stored),
        ]
    }
}
