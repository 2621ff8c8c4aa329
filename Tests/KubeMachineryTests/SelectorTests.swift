import KubeMachinery
import Primitives
import Testing

@Suite("Label selectors")
struct LabelSelectorTests {
    static let labels = ["app": "web", "tier": "front", "size": "3", "example.com/role": ""]

    @Test(
        "text selects by labels",
        arguments: [
            ("", true), ("app=web", true), ("app==web", true), ("app=api", false), ("app!=api", true), ("none!=x", true),
            ("app in (web,api)", true), ("app in (api)", false), ("app notin (api)", true), ("none notin (a)", true), ("none in (a)", false),
            ("tier", true), ("none", false), ("!none", true), ("!tier", false), ("size>2", true), ("size<3", false), ("app>2", false),
            ("app=web,tier=front", true), ("app=web,tier=back", false), (" app = web , tier in ( front , back ) ", true),
            ("example.com/role=", true), ("example.com/role", true), ("app=", false), ("in", false),
        ])
    func text(text: String, isSelected: Bool) throws {
        let selector = try LabelSelector(parsing: text)
        #expect(selector.matches(Self.labels) == isSelected)
        #expect(try LabelSelector(parsing: selector.description).matches(Self.labels) == isSelected)
    }

    @Test(
        "what cannot be read is a bad request",
        arguments: ["a=b,", ",", "a in b", "a in (b", "a=b c", "a/b/c=d", "a=b=c", "a>x", "-a", "a=b@", "(", "a,,b", "!"])
    func refusals(text: String) {
        #expect { try LabelSelector(parsing: text) } throws: { ($0 as? KubeStatus)?.reason == "BadRequest" }
    }

    @Test(
        "a LabelSelector object selects by labels, an absent one nothing",
        arguments: [
            (#"null"#, false), (#"{}"#, true), (#"{"matchLabels":{"app":"web"}}"#, true),
            (#"{"matchExpressions":[{"key":"app","operator":"In","values":["api","web"]}]}"#, true),
            (#"{"matchExpressions":[{"key":"tier","operator":"DoesNotExist"}]}"#, false),
            (#"{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"x","operator":"Exists"}]}"#, false),
        ])
    func json(text: String, isSelected: Bool) throws {
        #expect(try LabelSelector(json: JSONValue(parsing: text)).matches(Self.labels) == isSelected)
    }

    @Test("an unknown operator is refused")
    func unknownOperator() {
        #expect(throws: KubeStatus.self) { try LabelSelector(json: ["matchExpressions": [["key": "a", "operator": "Like"]]]) }
    }
}

@Suite("Field selectors")
struct FieldSelectorTests {
    @Test(
        "terms compare text at paths",
        arguments: [
            ("", true), ("spec.nodeName=n1", true), ("spec.nodeName==n1", true), ("spec.nodeName!=n1", false), ("status.phase=", true),
            ("status.phase!=Running,spec.nodeName=n1", true), (#"metadata.name=a\,b\=c"#, true), ("metadata.name=a", false),
        ])
    func terms(text: String, isSelected: Bool) throws {
        let values = ["spec.nodeName": "n1", "metadata.name": "a,b=c"]
        let selector = try FieldSelector(parsing: text)
        #expect(selector.matches { values[$0] } == isSelected)
        #expect(try FieldSelector(parsing: selector.description) == selector)
    }

    @Test("what cannot be read is a bad request", arguments: ["a", "a,b=c", #"a=\x"#, #"a=b\"#, "a=b=c"])
    func refusals(text: String) {
        #expect { try FieldSelector(parsing: text) } throws: { ($0 as? KubeStatus)?.code == 400 }
    }
}
