import KubeMachinery
import KubeResources
import Primitives
import Testing

@Suite("Custom resources")
struct CustomResourceTests {
    static let now = Timestamp(seconds: 1_700_000_000)

    static let sizes =
        #"{"type":"object","properties":{"spec":{"type":"object","properties":{"size":{"type":"integer","minimum":1,"default":2}}}}}"#

    static func definition(_ schema: String = sizes) throws -> KubeObject {
        KubeObject(
            try JSONValue(
                parsing:
                    #"{"metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"widgets","kind":"Widget","shortNames":["wd"]},"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{},"scale":{"specReplicasPath":".spec.size","statusReplicasPath":".status.size"}},"additionalPrinterColumns":[{"name":"Size","type":"integer","jsonPath":".spec.size"},{"name":"Since","type":"date","jsonPath":".status.since"}],"schema":{"openAPIV3Schema":\#(schema)}}]}}"#
            ))
    }

    private static func stored(_ object: KubeObject) throws -> KubeObject {
        let definitions = try #require(ResourceCatalogue.builtIn[Resources.customResourceDefinitions])
        var object = object
        definitions.prepareForCreate(&object)
        try definitions.validate(object)
        object.status = CustomResources.establishedStatus(of: object, others: [], now: now)
        return object
    }

    @Test("an established definition adds a resource with its names, columns and rules")
    func resource() throws {
        let definition = try Self.definition()
        #expect(CustomResources.resources(of: definition).isEmpty)
        let resource = try #require(CustomResources.resources(of: try Self.stored(definition)).first)
        #expect(resource.kind == "Widget" && resource.listKind == "WidgetList" && resource.singular == "widget" && resource.shortNames == ["wd"])
        #expect(resource.subresources.map(\.name) == ["scale", "status"])
        var object = KubeObject(try JSONValue(parsing: #"{"metadata":{"name":"w","namespace":"ns"},"spec":{"extra":1},"status":{"size":9}}"#))
        resource.prepareForCreate(&object)
        #expect(object.spec == ["size": 2] && object.json.member("status") == nil && object.apiVersion == "example.com/v1")
        #expect(throws: Never.self) { try resource.validate(object) }
        #expect(resource.scale.scale(of: object).spec["replicas"] == 2)
        object.status["since"] = "2023-11-14T22:13:10Z"
        #expect(resource.layout.columns.map(\.name) == ["Name", "Size", "Since"])
        #expect(resource.layout.cells(object, Self.now) == ["w", 2, "10s"])
        object.spec["size"] = 0
        #expect {
            try resource.validate(object)
        } throws: {
            ($0 as? KubeStatus)?.message
                == "Widget.example.com \"w\" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"
        }
    }

    @Test("taken names keep a definition from being established")
    func conflicts() throws {
        let others = CustomResources.resources(of: try Self.stored(Self.definition()))
        let status = CustomResources.establishedStatus(of: try Self.definition(), others: others, now: Self.now)
        #expect(status["conditions"].elements.map { $0["status"] } == ["False", "False"])
        #expect(status["conditions"][0]["reason"] == "PluralConflict")
        #expect(status["conditions"][0]["message"] == "\"widgets\" is already in use")
    }

    @Test(
        "what is wrong with a definition is named",
        arguments: [
            (#"{"type":"string"}"#, "type: Invalid value: \"string\": must be object at the root"),
            (#"{"type":"object","properties":{"spec":{}}}"#, "properties[spec].type: Required value"),
            (#"{"type":"object","properties":{"a":{"type":"array"}}}"#, "properties[a].items: Required value"),
            (#"{"type":"object","properties":{"a":{"type":"text"}}}"#, "properties[a].type: Unsupported value: \"text\""),
            (#"{"type":"object","properties":{"a":{"type":"string","pattern":"("}}}"#, "properties[a].pattern: Invalid value"),
            (
                #"{"type":"object","properties":{"a":{"type":"object","properties":{},"additionalProperties":{"type":"string"}}}}"#,
                "mutual exclusive"
            ),
        ])
    func invalidDefinitions(schema: String, words: String) throws {
        #expect {
            _ = try Self.stored(try Self.definition(schema))
        } throws: {
            ($0 as? KubeStatus)?.message.contains(words) == true
        }
    }

    @Test("a name that does not fit its group is refused")
    func name() throws {
        var definition = try Self.definition()
        definition.name = "gadgets.example.com"
        #expect(throws: KubeStatus.self) { try Self.stored(definition) }
    }

    @Test(
        "values are checked against every keyword",
        arguments: [
            (#"{"type":"string"}"#, "1", "Invalid value: \"integer\": v in body must be of type string: \"integer\""),
            (#"{"type":"integer"}"#, "1.5", "must be of type integer: \"number\""), (#"{"type":"integer"}"#, "2", ""),
            (#"{"type":"string","enum":["a","b"]}"#, #""c""#, "Unsupported value: \"c\": supported values: \"a\", \"b\""),
            (#"{"type":"string","pattern":"^a+$"}"#, #""ab""#, "should match '^a+$'"), (#"{"type":"string","pattern":"^a+$"}"#, #""aa""#, ""),
            (#"{"type":"string","maxLength":2}"#, #""abc""#, "Too long: may not be longer than 2"),
            (#"{"type":"string","minLength":2}"#, #""a""#, "should be at least 2 chars long"),
            (#"{"type":"number","maximum":3,"exclusiveMaximum":true}"#, "3", "should be less than 3"),
            (#"{"type":"number","multipleOf":0.1}"#, "0.3", ""), (#"{"type":"integer","multipleOf":5}"#, "7", "should be a multiple of 5"),
            (#"{"type":"array","maxItems":1,"items":{"type":"string"}}"#, #"["a","b"]"#, "Too many: 2: must have at most 1 items"),
            (#"{"type":"array","items":{"type":"string"}}"#, #"["a",2]"#, "v[1] in body must be of type string"),
            (#"{"type":"array","items":{"type":"string"},"x-kubernetes-list-type":"set"}"#, #"["a","a"]"#, "v[1]: Duplicate value: \"a\""),
            (#"{"type":"object","required":["a"]}"#, "{}", "v.a: Required value"),
            (#"{"type":"object","additionalProperties":{"type":"integer"}}"#, #"{"x":"y"}"#, "v.x in body must be of type integer"),
            (#"{"x-kubernetes-int-or-string":true}"#, #""50%""#, ""), (#"{"x-kubernetes-int-or-string":true}"#, "true", "integer,string"),
            (#"{"type":"string","nullable":true}"#, "null", ""), (#"{"type":"string"}"#, "null", "must be of type string: \"null\""),
            (#"{"type":"integer","anyOf":[{"maximum":1},{"minimum":5}]}"#, "3", "must validate at least one schema (anyOf)"),
            (#"{"type":"integer","oneOf":[{"maximum":5},{"minimum":1}]}"#, "3", "must validate one and only one schema (oneOf)"),
            (#"{"type":"integer","not":{"maximum":5}}"#, "3", "must not validate the schema (not)"),
            (#"{"type":"string","format":"date-time"}"#, #""today""#, "must be of type date-time"),
        ])
    func keywords(schema: String, value: String, words: String) throws {
        let schema = StructuralSchema(["type": "object", "properties": ["v": try JSONValue(parsing: schema)]])
        let found = schema.check(["v": try JSONValue(parsing: value)]).errors.map(\.description).joined(separator: ", ")
        if words.isEmpty { #expect(found.isEmpty) } else { #expect(found.contains(words), "\(found)") }
    }

    @Test("pruning keeps metadata and open objects, and names what it left out")
    func pruning() throws {
        let schema = StructuralSchema(
            try JSONValue(
                parsing:
                    #"{"type":"object","properties":{"spec":{"type":"object","properties":{"open":{"type":"object","x-kubernetes-preserve-unknown-fields":true},"map":{"type":"object","additionalProperties":{"type":"object","properties":{"a":{"type":"string"}}}},"list":{"type":"array","items":{"type":"object"}}}}}}"#
            ))
        let object = try JSONValue(
            parsing: #"{"kind":"W","metadata":{"name":"x"},"spec":{"open":{"z":1},"map":{"k":{"a":"1","b":2}},"list":[{"q":1}],"no":1},"top":1}"#)
        let (pruned, unknown) = schema.pruned(object)
        let kept = #"{"kind":"W","metadata":{"name":"x"},"spec":{"open":{"z":1},"map":{"k":{"a":"1"}},"list":[{}]}}"#
        #expect(pruned == (try JSONValue(parsing: kept)))
        #expect(unknown == ["spec.map.k.b", "spec.list[0].q", "spec.no", "top"])
    }

    @Test("the definitions of KubeEdge are valid and established")
    func kubeEdge() throws {
        for definition in KubeEdgeResources.customResourceDefinitions { #expect(throws: Never.self) { try Self.stored(definition) } }
        let sync = try #require(KubeEdgeResources.resources.first { $0.kind == "ObjectSync" })
        var object = KubeObject(
            try JSONValue(
                parsing:
                    #"{"metadata":{"name":"edge-1.uid","namespace":"ns"},"spec":{"objectAPIVersion":"v1","objectKind":"Pod","objectName":"p"}}"#))
        sync.prepareForCreate(&object)
        #expect(throws: Never.self) { try sync.validate(object) }
        #expect(object.spec["objectKind"] == "Pod")
    }
}
