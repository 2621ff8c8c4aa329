import KubeMachinery
import Primitives
import Testing

@Suite("Objects")
struct KubeObjectTests {
    @Test("emptied labels, annotations, finalizers and versions leave no member behind")
    func emptied() {
        var object = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "a")
        let before = object
        object.labels = ["a": "b"]
        object.annotations = ["a": "b"]
        object.finalizers = ["a"]
        object.resourceVersion = "1"
        #expect(object.metadata.members.count == 6)
        object.labels = [:]
        object.annotations = [:]
        object.finalizers = []
        object.resourceVersion = ""
        #expect(object == before)
    }

    @Test("a version that is no number counts as none", arguments: ["", "abc", "-1", "18446744073709551616"])
    func versions(text: String) {
        var object = KubeObject(apiVersion: "v1", kind: "ConfigMap", name: "a")
        object.resourceVersion = text
        #expect(object.version == 0)
    }
}
