import KubeMachinery
import Primitives
import Testing

@Suite("Names")
struct NameRuleTests {
    @Test(
        "names are accepted and refused by rule",
        arguments: [
            (NameRule.dnsLabel, "a-1", true), (.dnsLabel, "1a", true), (.dnsLabel, "A", false), (.dnsLabel, "-a", false), (.dnsLabel, "a.b", false),
            (.dnsLabel, "", false), (.dnsLabel1035, "1a", false), (.dnsLabel1035, "a1", true), (.dnsSubdomain, "a.b-c.d", true),
            (.dnsSubdomain, "a..b", false), (.dnsSubdomain, "a_b", false), (.qualifiedName, "example.com/My.Name_1", true),
            (.qualifiedName, "a/b/c", false), (.qualifiedName, "/b", false), (.qualifiedName, "a/", false), (.labelValue, "", true),
            (.labelValue, "Ab_c.1", true), (.labelValue, "a ", false), (.environmentVariable, "MY.VAR-1", true), (.environmentVariable, "1A", false),
            (.configurationKey, "app.conf", true), (.configurationKey, "..x", false), (.configurationKey, "a/b", false), (.portName, "http-2", true),
            (.portName, "80", false), (.portName, "a--b", false), (.portName, "very-long-port-name", false), (.pathSegment, "system:node", true),
            (.pathSegment, "a/b", false),
        ] as [(NameRule, String, Bool)])
    func names(rule: NameRule, text: String, isAccepted: Bool) { #expect(rule.accepts(text) == isAccepted) }

    @Test("lengths are limited")
    func lengths() {
        #expect(NameRule.dnsLabel.problems(with: String(repeating: "a", count: 64)) == ["must be no more than 63 characters"])
        #expect(NameRule.dnsSubdomain.accepts(String(repeating: "a", count: 253)))
        #expect(!NameRule.dnsSubdomain.accepts(String(repeating: "a", count: 254)))
    }
}

@Suite("Field errors")
struct FieldErrorsTests {
    @Test("one error is the message, several stand in brackets, each is a cause")
    func status() throws {
        var errors = FieldErrors()
        #expect(errors.status(kind: "Pod", group: "", name: "x") == nil)
        errors.required("spec.containers")
        #expect(errors.status(kind: "Pod", group: "", name: "x")?.message == "Pod \"x\" is invalid: spec.containers: Required value")
        errors.notSupported("spec.restartPolicy", "Sometimes", ["Always", "Never"])
        let status = try #require(errors.status(kind: "Deployment", group: "apps", name: "x"))
        #expect(
            status.message == "Deployment.apps \"x\" is invalid: [spec.containers: Required value, spec.restartPolicy: Unsupported value: "
                + "\"Sometimes\": supported values: \"Always\", \"Never\"]")
        #expect(status.code == 422)
        #expect(status.details["causes"][1]["reason"] == "FieldValueNotSupported")
        #expect(status.details["group"] == "apps")
    }

    @Test("metadata is checked")
    func metadata() throws {
        let good: JSONValue = ["name": "a", "namespace": "default", "labels": ["x": "y"], "annotations": ["Example.com/x": "anything at all"]]
        #expect(MetadataRules.check(good, isNamespaced: true, name: .dnsSubdomain).isEmpty)
        let bad: JSONValue = [
            "name": "A", "labels": ["x y": "z"], "finalizers": ["a b"],
            "ownerReferences": [["apiVersion": "v1", "kind": "Pod", "name": "p"]],
        ]
        let fields = MetadataRules.check(bad, isNamespaced: true, name: .dnsSubdomain).errors.map(\.field)
        #expect(
            fields == [
                "metadata.name", "metadata.namespace", "metadata.labels", "metadata.finalizers[0]", "metadata.ownerReferences[0].uid",
            ])
        #expect(MetadataRules.check(["name": "n", "namespace": "x"], isNamespaced: false, name: .dnsSubdomain).errors.first?.kind == .forbidden)
        let prefixed = MetadataRules.check(["generateName": "web-", "name": "web-x1"], isNamespaced: false, name: .dnsSubdomain)
        #expect(prefixed.isEmpty)
    }

    @Test("identity is immutable, finalizers do not grow while an object is deleted")
    func metadataUpdate() {
        let old: JSONValue = ["name": "a", "uid": "1", "deletionTimestamp": "2024-01-01T00:00:00Z", "finalizers": ["x"]]
        var new = old
        new["uid"] = "2"
        new["finalizers"] = ["x", "y"]
        let errors = MetadataRules.checkUpdate(new, from: old).errors
        #expect(errors.map(\.field) == ["metadata.uid", "metadata.finalizers"])
        #expect(errors.first?.description == "metadata.uid: Invalid value: \"2\": field is immutable")
    }
}
