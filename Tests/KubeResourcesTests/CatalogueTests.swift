import KubeMachinery
import KubeResources
import Primitives
import Testing

@Suite("Resource catalogue")
struct CatalogueTests {
    static let catalogue = ResourceCatalogue.builtIn(with: KubeEdgeResources.resources)

    @Test("every kind is found by resource and by kind and has a schema")
    func lookUp() {
        for definition in Self.catalogue.definitions {
            #expect(Self.catalogue[definition.resource]?.kind == definition.kind)
            #expect(Self.catalogue[definition.groupVersionKind]?.resource == definition.resource)
            if definition.structuralSchema == nil { #expect(BuiltInSchemas.table.types[definition.kind] != nil, "\(definition.kind)") }
        }
        #expect(Self.catalogue[Resources.objectSyncs]?.hasStatus == true)
        #expect(Self.catalogue[GroupVersionResource(resource: "widgets")] == nil)
    }

    @Test("every type that the schema table names exists")
    func closed() {
        func named(_ type: FieldType) -> String? {
            switch type {
            case .named(let name): name
            case .list(let element), .map(let element): named(element)
            default: nil
            }
        }
        let table = BuiltInSchemas.table
        for type in table.types.values {
            for field in type.fields {
                if let name = named(field.type) { #expect(table.types[name] != nil, "\(type.name).\(field.name)") }
            }
        }
        #expect(table.types["PodSpec"]?.qualifiedName == "io.k8s.api.core.v1.PodSpec")
    }

    @Test("field selectors use the paths of the resource")
    func fields() throws {
        let pods = try #require(Self.catalogue[Resources.pods])
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "ns", name: "p")
        pod.spec["nodeName"] = "n"
        #expect(try pods.matches(FieldSelector(parsing: "spec.nodeName=n,metadata.name=p,metadata.namespace!=x,status.phase="), pod))
        #expect(try !pods.matches(FieldSelector(parsing: "spec.nodeName=m"), pod))
        #expect(throws: Never.self) { try pods.check(FieldSelector(parsing: "status.podIP=1")) }
        #expect {
            try pods.check(FieldSelector(parsing: "spec.image=x"))
        } throws: {
            ($0 as? KubeStatus)?.message.hasSuffix("field label not supported: spec.image") == true
        }
    }

    @Test("a strategic merge patch follows the schema through templates")
    func mergeSchema() throws {
        let deployments = try #require(Self.catalogue[Resources.deployments]?.mergeSchema)
        let container = deployments.member("spec").member("template").member("spec").member("containers")
        #expect(container.listRule == .merge(key: "name"))
        #expect(container.member("ports").listRule == .merge(key: "containerPort"))
        #expect(container.member("args").listRule == .replace)
        #expect(deployments.member("metadata").member("finalizers").listRule == .merge(key: ""))
        #expect(Self.catalogue[Resources.objectSyncs]?.mergeSchema == nil)
    }

    @Test("unknown fields and wrong types are found, known documents pass")
    func findings() throws {
        let table = BuiltInSchemas.table
        let pod = try JSONValue(
            parsing:
                #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","labels":{"a":"b"},"creationTimestamp":null},"spec":{"containers":[{"name":"c","imagee":"i","resources":{"limits":{"cpu":1,"memory":"1Gi"}},"livenessProbe":{"httpGet":{"port":"http"}}}],"foo":1}}"#
        )
        let findings = table.findings(in: pod, type: "Pod")
        #expect(findings.unknownFields == [#"unknown field "spec.containers[0].imagee""#, #"unknown field "spec.foo""#])
        #expect(findings.wrongType == nil)
        #expect(table.pruned(pod, type: "Pod")["spec"].member("foo") == nil)
        for (spec, words) in [
            (#"{"replicas":"three"}"#, "cannot unmarshal string into Go struct field"), (#"{"selector":[]}"#, "cannot unmarshal array"),
            (#"{"template":{"spec":{"containers":{}}}}"#, "[]Container"), (#"{"paused":1}"#, "of type bool"),
            (#"{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"1 core"}}}]}}}"#, "quantities must match"),
        ] {
            let document = try JSONValue(parsing: #"{"spec":\#(spec)}"#)
            #expect(table.findings(in: document, type: "Deployment").wrongType?.contains(words) == true, "\(spec)")
        }
    }

    @Test("versions are ordered by stability")
    func versions() {
        let sorted = VersionPriority.sorted(["v1alpha1", "v1", "v1beta2", "v2", "foo", "v1beta10"])
        #expect(sorted == ["v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "foo"])
    }
}

@Suite("Discovery and OpenAPI")
struct DiscoveryTests {
    static let discovery = Discovery(CatalogueTests.catalogue)

    @Test("the core group and the others are listed apart")
    func groups() throws {
        let names = Self.discovery.groupList["groups"].elements.compactMap { $0["name"].string }
        #expect(names.contains("apps") && names.contains("reliablesyncs.kubeedge.io") && !names.contains(""))
        #expect(Self.discovery.group("apps")?["preferredVersion"]["groupVersion"] == "apps/v1")
        #expect(Self.discovery.group("none") == nil)
        let core = Self.discovery.aggregated(core: true)
        #expect(core["items"].elements.map { $0["metadata"]["name"] } == [""])
        #expect(core["apiVersion"] == "apidiscovery.k8s.io/v2beta1")
        let pods = try #require(core["items"][0]["versions"][0]["resources"].elements.first { $0["resource"].string == "pods" })
        #expect(pods["scope"] == "Namespaced")
        #expect(pods["subresources"].elements.contains { $0["subresource"].string == "eviction" && $0["responseKind"]["group"].string == "policy" })
    }

    @Test("the resource list names subresources with their own kinds")
    func resourceList() throws {
        let list = try #require(Self.discovery.resourceList(GroupVersion("apps/v1")))
        let scale = try #require(list["resources"].elements.first { $0["name"].string == "deployments/scale" })
        #expect(scale["group"] == "autoscaling" && scale["kind"] == "Scale")
        let deployments = try #require(list["resources"].elements.first { $0["name"].string == "deployments" })
        #expect(deployments["shortNames"] == ["deploy"] && deployments["categories"] == ["all"])
        #expect(Self.discovery.resourceList(GroupVersion("apps/v9")) == nil)
    }

    @Test("documents hold every reference, and what kubectl looks for")
    func documents() throws {
        let documents = OpenAPIDocuments(CatalogueTests.catalogue, version: "v1.28.6")
        #expect(documents.index["paths"]["apis/apps/v1"]["serverRelativeURL"].string?.hasPrefix("/openapi/v3/apis/apps/v1?hash=") == true)
        for group in Self.discovery.groups {
            for version in group.versions {
                let document = try #require(documents.document(GroupVersion(group: group.name, version: version)))
                let schemas = document["components"]["schemas"]
                for name in references(document) { #expect(!schemas[name].isNull, "\(name)") }
            }
        }
        let swagger = documents.swagger
        for name in references(swagger) { #expect(!swagger["definitions"][name].isNull, "\(name)") }
        let core = try #require(documents.document(GroupVersion("v1")))
        let patch = core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
        #expect(patch["parameters"].elements.contains { $0["name"].string == "fieldValidation" })
        #expect(patch["x-kubernetes-group-version-kind"]["kind"] == "Pod")
        let spec = core["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]
        #expect(spec["properties"]["containers"]["x-kubernetes-patch-merge-key"] == "name")
        #expect(spec["required"] == ["containers"])
        let custom = try #require(documents.document(GroupVersion("reliablesyncs.kubeedge.io/v1alpha1")))
        let sync = custom["components"]["schemas"]["io.kubeedge.reliablesyncs.v1alpha1.ObjectSync"]
        #expect(sync["x-kubernetes-group-version-kind"][0]["kind"] == "ObjectSync")
        #expect(sync["properties"]["spec"]["properties"]["objectKind"]["type"] == "string")
    }

    private func references(_ value: JSONValue) -> Set<String> {
        switch value {
        case .object(let members):
            var found: Set<String> = []
            for (key, item) in members {
                if key == "$ref", let text = item.string { found.insert(String(text.split(separator: "/").last ?? "")) }
                found.formUnion(references(item))
            }
            return found
        case .array(let elements): return elements.reduce(into: []) { $0.formUnion(references($1)) }
        default: return []
        }
    }
}
