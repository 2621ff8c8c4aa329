package import KubeMachinery
package import Primitives

/// OpenAPI documents of what a server serves: enough that kubectl validates, explains and patches.
package struct OpenAPIDocuments: Sendable {
    private let catalogue: ResourceCatalogue
    /// `v1.28.6`.
    private let version: String

    package init(_ catalogue: ResourceCatalogue, version: String) {
        self.catalogue = catalogue
        self.version = version
    }

    /// `GET /openapi/v3`: where the document of each group and version is.
    package var index: JSONValue {
        var paths = JSONObject()
        for (name, versions) in Discovery(catalogue).groups {
            for version in versions {
                let path = Self.path(GroupVersion(group: name, version: version))
                let hash = fingerprint(GroupVersion(group: name, version: version))
                paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)?hash=\(hash)")]
            }
        }
        return ["paths": .object(paths)]
    }

    /// `GET /openapi/v3/api/v1`, `GET /openapi/v3/apis/<group>/<version>`; nil for an unknown version.
    package func document(_ groupVersion: GroupVersion) -> JSONValue? {
        let definitions = catalogue.resources(groupVersion)
        guard !definitions.isEmpty else { return nil }
        var schemas = OpenAPISchemas(prefix: "#/components/schemas/", style: .v3)
        var paths = JSONObject()
        for definition in definitions {
            schemas.add(definition)
            OpenAPIPaths.add(definition, to: &paths, schemas: &schemas)
        }
        return [
            "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": .string(version)], "paths": .object(paths),
            "components": ["schemas": .object(schemas.finished())],
        ]
    }

    /// `GET /openapi/v2` as JSON: the definitions of all kinds, without paths.
    package var swagger: JSONValue {
        var schemas = OpenAPISchemas(prefix: "#/definitions/", style: .v2)
        for definition in catalogue.definitions { schemas.add(definition) }
        return [
            "swagger": "2.0", "info": ["title": "Kubernetes", "version": .string(version)], "paths": [:],
            "definitions": .object(schemas.finished()),
        ]
    }

    private static func path(_ groupVersion: GroupVersion) -> String {
        groupVersion.group.isEmpty ? "api/\(groupVersion.version)" : "apis/\(groupVersion)"
    }

    /// Changes whenever the document does.
    private func fingerprint(_ groupVersion: GroupVersion) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        mix(version)
        for definition in catalogue.resources(groupVersion) {
            mix(definition.resource.description)
            mix(definition.structuralSchema?.json.text(.sortedKeys) ?? "")
            for part in definition.subresources { mix(part.name) }
        }
        return String(hash, radix: 16, uppercase: true)
    }
}

/// The verbs of resources as OpenAPI paths.
enum OpenAPIPaths {
    static func add(_ definition: ResourceDefinition, to paths: inout JSONObject, schemas: inout OpenAPISchemas) {
        let plain = definition.resource.path(namespace: nil)
        let scoped = definition.isNamespaced ? definition.resource.path(namespace: "{namespace}") : plain
        if definition.isNamespaced, definition.verbs.contains("list") {
            paths[plain] = ["get": operation("list", definition, kind: definition.listKind, schemas: &schemas)]
        }
        var collection: JSONValue = [:]
        for (method, verb, action) in [("get", "list", "list"), ("post", "create", "post"), ("delete", "deletecollection", "deletecollection")]
        where definition.verbs.contains(verb) {
            collection[method] = operation(action, definition, kind: verb == "list" ? definition.listKind : definition.kind, schemas: &schemas)
        }
        collection["parameters"] = parameters(namespaced: definition.isNamespaced, named: false)
        paths[scoped] = collection
        guard definition.verbs.contains("get") else { return }
        paths["\(scoped)/{name}"] = item(definition, schemas: &schemas)
        for part in definition.subresources where part.kind == nil && part.name != "log" {
            paths["\(scoped)/{name}/\(part.name)"] = item(definition, methods: ["get", "put", "patch"], schemas: &schemas)
        }
    }

    private static func item(
        _ definition: ResourceDefinition, methods: [String] = ["get", "put", "patch", "delete"], schemas: inout OpenAPISchemas
    ) -> JSONValue {
        var item: JSONValue = [:]
        for method in methods { item[method] = operation(method, definition, kind: definition.kind, schemas: &schemas) }
        item["parameters"] = parameters(namespaced: definition.isNamespaced, named: true)
        return item
    }

    private static func operation(
        _ action: String, _ definition: ResourceDefinition, kind: String, schemas: inout OpenAPISchemas
    ) -> JSONValue {
        let reference = schemas.reference(definition, kind: kind)
        let groupVersion = definition.resource.groupVersion
        var operation: JSONValue = [
            "tags": [.string("\(groupVersion.group.isEmpty ? "core" : groupVersion.group)_\(groupVersion.version)")],
            "responses": ["200": ["description": "OK", "content": ["application/json": ["schema": reference]]]],
            "x-kubernetes-action": .string(action),
            "x-kubernetes-group-version-kind": [
                "group": .string(groupVersion.group), "version": .string(groupVersion.version), "kind": .string(definition.kind),
            ],
        ]
        switch action {
        case "post", "put", "patch":
            operation["parameters"] = .array(
                ["dryRun", "fieldManager", "fieldValidation"].map(queryText)
                    + (action == "patch" ? [["name": "force", "in": "query", "schema": ["type": "boolean", "uniqueItems": true]]] : []))
            var kinds = ["*/*"]
            if action == "patch" {
                kinds = [PatchKind.json.rawValue, PatchKind.merge.rawValue, "application/apply-patch+yaml"]
                if definition.structuralSchema == nil { kinds.append(PatchKind.strategic.rawValue) }
            }
            let schema: JSONValue = action == "patch" ? ["type": "object"] : reference
            operation["requestBody"] = ["content": .object(JSONObject(uniqueKeysWithValues: kinds.map { ($0, ["schema": schema]) }))]
        case "list":
            operation["parameters"] = .array(
                ["labelSelector", "fieldSelector", "limit", "continue", "watch", "resourceVersion", "timeoutSeconds"].map(queryText))
        default: break
        }
        return operation
    }

    private static func queryText(_ name: String) -> JSONValue {
        ["name": .string(name), "in": "query", "schema": ["type": "string", "uniqueItems": true]]
    }

    private static func parameters(namespaced: Bool, named: Bool) -> JSONValue {
        var names: [String] = []
        if named { names.append("name") }
        if namespaced { names.append("namespace") }
        return .array(
            names.map { ["name": .string($0), "in": "path", "required": true, "schema": ["type": "string", "uniqueItems": true]] })
    }
}
