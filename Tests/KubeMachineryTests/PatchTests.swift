import KubeMachinery
import Primitives
import Testing

@Suite("JSON patch and merge patch")
struct PatchTests {
    @Test(
        "operations of RFC 6902",
        arguments: [
            (#"{"a":{"b":1}}"#, #"[{"op":"add","path":"/a/c","value":2}]"#, #"{"a":{"b":1,"c":2}}"#),
            (#"{"a":[1,3]}"#, #"[{"op":"add","path":"/a/1","value":2}]"#, #"{"a":[1,2,3]}"#),
            (#"{"a":[1]}"#, #"[{"op":"add","path":"/a/-","value":2}]"#, #"{"a":[1,2]}"#),
            (#"{"a":1,"b":2}"#, #"[{"op":"remove","path":"/a"}]"#, #"{"b":2}"#),
            (#"{"a":[1,2]}"#, #"[{"op":"remove","path":"/a/0"}]"#, #"{"a":[2]}"#),
            (#"{"a":1}"#, #"[{"op":"replace","path":"/a","value":null}]"#, #"{"a":null}"#),
            (#"{"a":[{"x":1}]}"#, #"[{"op":"replace","path":"/a/0/x","value":5}]"#, #"{"a":[{"x":5}]}"#),
            (#"{"a":1,"b":{}}"#, #"[{"op":"move","from":"/a","path":"/b/c"}]"#, #"{"b":{"c":1}}"#),
            (#"{"a":1}"#, #"[{"op":"copy","from":"/a","path":"/b"},{"op":"test","path":"/b","value":1}]"#, #"{"a":1,"b":1}"#),
            (#"{"a/b":1,"m~n":2}"#, #"[{"op":"replace","path":"/a~1b","value":3},{"op":"remove","path":"/m~0n"}]"#, #"{"a/b":3}"#),
            (#"{"a":1}"#, #"[{"op":"add","path":"","value":{"z":1}}]"#, #"{"z":1}"#),
        ])
    func jsonPatch(document: String, patch: String, expected: String) throws {
        let result = try JSONPatch(json: JSONValue(parsing: patch)).apply(to: JSONValue(parsing: document))
        #expect(result == (try JSONValue(parsing: expected)))
    }

    @Test(
        "what cannot be applied is 422, what cannot be read 400",
        arguments: [
            (#"[{"op":"remove","path":"/x"}]"#, 422), (#"[{"op":"replace","path":"/x","value":1}]"#, 422),
            (#"[{"op":"test","path":"/a","value":2}]"#, 422), (#"[{"op":"add","path":"/l/9","value":1}]"#, 422),
            (#"[{"op":"add","path":"/l/01","value":1}]"#, 422), (#"[{"op":"add","path":"/a/b/c","value":1}]"#, 422),
            (#"[{"op":"jump","path":"/a"}]"#, 400), (#"{"op":"remove"}"#, 400), (#"[{"op":"add","path":"/a"}]"#, 400),
            (#"[{"op":"remove","path":"a"}]"#, 400), (#"[{"op":"move","path":"/a"}]"#, 400),
        ])
    func jsonPatchRefusals(patch: String, code: Int) {
        let document: JSONValue = ["a": 1, "l": [1]]
        #expect {
            _ = try JSONPatch(json: JSONValue(parsing: patch)).apply(to: document)
        } throws: {
            ($0 as? KubeStatus)?.code == code
        }
    }

    @Test(
        "merge patches both ways",
        arguments: [
            (#"{"a":1,"b":{"c":2,"d":3}}"#, #"{"a":null,"b":{"c":4}}"#, #"{"b":{"c":4,"d":3}}"#),
            (#"{"a":[1,2]}"#, #"{"a":[3]}"#, #"{"a":[3]}"#),
            (#"{"a":1}"#, #"{"a":{"b":{"c":1}}}"#, #"{"a":{"b":{"c":1}}}"#),
        ])
    func mergePatch(document: String, patch: String, expected: String) throws {
        let before = try JSONValue(parsing: document)
        let after = try JSONValue(parsing: expected)
        #expect(MergePatch.apply(try JSONValue(parsing: patch), to: before) == after)
        #expect(MergePatch.apply(MergePatch.difference(from: before, to: after), to: before) == after)
        #expect(MergePatch.difference(from: after, to: after) == [:])
    }

    @Test("nulls of a new object are not stored")
    func mergePatchNulls() {
        #expect(MergePatch.apply(["a": ["b": nil, "c": 1]], to: [:]) == ["a": ["c": 1]])
    }
}

@Suite("Strategic merge patch")
struct StrategicMergePatchTests {
    static let schema = MergePaths([
        "spec.containers": .merge(key: "name"), "spec.containers.env": .merge(key: "name"), "spec.containers.ports": .merge(key: "containerPort"),
        "metadata.finalizers": .merge(key: ""), "status.conditions": .merge(key: "type"), "status.addresses": .merge(key: "type"),
    ])

    @Test(
        "lists are merged by key, directives obeyed",
        arguments: [
            (
                #"{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}"#,
                #"{"spec":{"containers":[{"name":"b","image":"z"}]}}"#,
                #"{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"z"}]}}"#
            ),
            (
                #"{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#, #"{"spec":{"containers":[{"name":"a","$patch":"delete"},{"name":"c"}]}}"#,
                #"{"spec":{"containers":[{"name":"b"},{"name":"c"}]}}"#
            ),
            (
                #"{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#, #"{"spec":{"containers":[{"$patch":"replace"},{"name":"c"}]}}"#,
                #"{"spec":{"containers":[{"name":"c"}]}}"#
            ),
            (
                #"{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"}]}]}}"#,
                #"{"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"2"}],"image":null}]}}"#,
                #"{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}]}]}}"#
            ),
            (
                #"{"metadata":{"finalizers":["a","b"]}}"#, #"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c","b"]}}"#,
                #"{"metadata":{"finalizers":["b","c"]}}"#
            ),
            (
                #"{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}}"#,
                #"{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}"#, #"{"spec":{"strategy":{"type":"Recreate"}}}"#
            ),
            (#"{"a":{"b":1,"c":2}}"#, #"{"a":{"$patch":"replace","d":3}}"#, #"{"a":{"d":3}}"#),
            (#"{"a":{"b":1,"c":2}}"#, #"{"a":{"$patch":"delete"}}"#, #"{"a":{}}"#),
            (
                #"{"spec":{"containers":[{"name":"a"},{"name":"s"},{"name":"b"}]}}"#,
                #"{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"b","image":"z"}]}}"#,
                #"{"spec":{"containers":[{"name":"s"},{"name":"b","image":"z"},{"name":"a"}]}}"#
            ),
            (
                #"{}"#, #"{"spec":{"containers":[{"name":"a","image":null},{"name":"b","$patch":"delete"}]}}"#,
                #"{"spec":{"containers":[{"name":"a"}]}}"#
            ),
            (#"{"args":["a"]}"#, #"{"args":["b"]}"#, #"{"args":["b"]}"#),
        ])
    func apply(document: String, patch: String, expected: String) throws {
        let result = try StrategicMergePatch.apply(JSONValue(parsing: patch), to: JSONValue(parsing: document), schema: Self.schema)
        #expect(result.text(.sortedKeys) == (try JSONValue(parsing: expected)).text(.sortedKeys))
    }

    @Test(
        "malformed directives are bad requests",
        arguments: [
            #"{"$patch":"explode"}"#, #"{"spec":{"containers":[{"image":"x"}]}}"#, #"{"spec":{"containers":["x"]}}"#, #"[]"#,
            #"{"spec":{"$retainKeys":["a"],"b":1}}"#, #"{"metadata":{"$deleteFromPrimitiveList/finalizers":1}}"#,
        ])
    func refusals(patch: String) {
        #expect {
            _ = try StrategicMergePatch.apply(JSONValue(parsing: patch), to: ["spec": ["containers": [["name": "a"]]]], schema: Self.schema)
        } throws: {
            ($0 as? KubeStatus)?.code == 400
        }
    }

    @Test("a heartbeat patch holds the order and the times alone")
    func heartbeat() {
        func node(_ time: String) -> JSONValue {
            [
                "status": [
                    "addresses": [["type": "InternalIP", "address": "10.0.0.1"]],
                    "conditions": [
                        ["type": "MemoryPressure", "status": "False", "lastHeartbeatTime": .string(time)],
                        ["type": "Ready", "status": "True", "lastHeartbeatTime": .string(time)],
                    ],
                ]
            ]
        }
        let patch = StrategicMergePatch.difference(from: node("1"), to: node("2"), schema: MergePaths.nodeStatus, replacing: ["status.addresses"])
        let expected: JSONValue = [
            "status": [
                "$setElementOrder/conditions": [["type": "MemoryPressure"], ["type": "Ready"]],
                "conditions": [["lastHeartbeatTime": "2", "type": "MemoryPressure"], ["lastHeartbeatTime": "2", "type": "Ready"]],
            ]
        ]
        #expect(patch == expected)
    }

    @Test("changed addresses replace the list")
    func addresses() throws {
        let old: JSONValue = ["status": ["addresses": [["type": "InternalIP", "address": "10.0.0.1"], ["type": "Hostname", "address": "n"]]]]
        let new: JSONValue = ["status": ["addresses": [["type": "InternalIP", "address": "10.0.0.2"], ["type": "Hostname", "address": "n"]]]]
        let patch = StrategicMergePatch.difference(from: old, to: new, schema: MergePaths.nodeStatus, replacing: ["status.addresses"])
        #expect(
            patch == [
                "status": [
                    "addresses": [
                        ["$patch": "replace"], ["type": "InternalIP", "address": "10.0.0.2"], ["type": "Hostname", "address": "n"],
                    ]
                ]
            ])
        #expect(try StrategicMergePatch.apply(patch, to: old, schema: MergePaths.nodeStatus) == new)
    }

    @Test(
        "applying a difference makes the new document",
        arguments: [
            (
                #"{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b"}]}}"#,
                #"{"spec":{"containers":[{"name":"c"},{"name":"a","image":"y"}]}}"#
            ),
            (#"{"metadata":{"finalizers":["a","b"]}}"#, #"{"metadata":{"finalizers":["c","b"]}}"#),
            (#"{"a":{"b":1},"c":2}"#, #"{"a":{"d":[1,{"e":2}]}}"#),
            (#"{"status":{"conditions":[{"type":"A","status":"x"}]}}"#, #"{"status":{"conditions":[]}}"#),
            (#"{"a":1}"#, #"{"a":1}"#),
        ])
    func roundTrip(old: String, new: String) throws {
        let old = try JSONValue(parsing: old)
        let new = try JSONValue(parsing: new)
        let patch = StrategicMergePatch.difference(from: old, to: new, schema: Self.schema)
        #expect(try StrategicMergePatch.apply(patch, to: old, schema: Self.schema) == new)
        #expect((patch == [:]) == (old == new))
    }
}
