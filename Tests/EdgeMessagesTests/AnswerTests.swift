import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@Suite("Answers, builders and the class of delivery")
struct AnswerTests {
    @Test(
        "every shape of failure is a failure (D-01, D-06)",
        arguments: [
            #"{"Object":{"metadata":{}},"Err":{}}"#, #"{"Object":null,"Err":{"Op":"Get","URL":"u","Err":{}}}"#, #"{"Object":null,"Err":null}"#,
            #"{"Object":null,"Err":"x"}"#, "{}", #"{"Op":"Get","URL":"u","Err":{}}"#, "null", #""some text""#, "7",
            #"{"ErrStatus":{"status":"Failure","reason":"NotFound","code":404}}"#, #"{"ErrStatus":{},"metadata":{}}"#,
        ])
    func failures(content: String) throws {
        let message = EdgeMessage(
            source: "edgecontroller", group: "resource", operation: "response", resource: "a/configmap/b", content: try JSONValue(parsing: content))
        guard case .failure = message.answer else {
            Issue.record("\(content) counts as \(message.answer)")
            return
        }
    }

    @Test("reason, code and details of a status survive the way to the edge")
    func status() {
        let failure = KubeStatus.alreadyExists(GroupResource(group: "", resource: "nodes"), "n")
        let request = EdgeMessage.registerNode(KubeObject(apiVersion: "v1", kind: "Node", name: "n"))
        for reply in [request.reply(ObjectResponse(failure)), request.reply(failure)] {
            #expect(reply.answer == .failure(failure))
            #expect(reply.header.parentID == request.header.id)
            #expect(reply.route.resource == "default/node/n")
        }
    }

    @Test("objects are accepted whole and as JSON in a string")
    func objects() {
        let object: JSONValue = ["metadata": ["name": "x", "uid": "u"]]
        for content in [object, .string(object.text()), ["Object": object, "Err": nil]] {
            let message = EdgeMessage(source: "", group: "resource", operation: "response", resource: "a/configmap/x", content: content)
            #expect(message.answer == .object(KubeObject(object)))
        }
        let done = EdgeMessage(source: "", group: "resource", operation: "response", resource: "a/pod/x", content: "OK")
        #expect(done.answer == .done)
    }

    /// Operation, source, group, resource, content and whether it is acknowledged (`spec/01 §6.2`, D-07).
    static let classes: [(String, String, String, String, JSONValue, Bool)] = [
        ("insert", "edgecontroller", "resource", "default/pod/web", object, true),
        ("update", "edgecontroller", "resource", "default/pod/my-podlist-viewer", object, true),
        ("update", "edgecontroller", "resource", "membership/configmap/serviceaccounttoken", object, true),
        ("delete", "edgecontroller", "resource", "default/secret/x", object, true),
        ("update", "devicecontroller", "resource", "default/device/x", object, true),
        ("update", "dynamiccontroller", "resource", "null/node/x", object, true),
        ("response", "edgecontroller", "resource", "default/configmap/x", object, true),
        ("response", "edgecontroller", "resource", "default/persistentvolume/x", object, true),
        ("response", "edgecontroller", "resource", "default/configmap/x", ["ErrStatus": [:]], false),
        ("response", "edgecontroller", "resource", "default/configmap/x", "OK", false),
        ("response", "edgecontroller", "resource", "default/node/x", object, false),
        ("response", "edgecontroller", "resource", "default/pod/x", object, false),
        ("response", "edgecontroller", "resource", "kube-node-lease/lease/x", object, false),
        ("response", "edgecontroller", "resource", "default/serviceaccounttoken/x", object, false),
        ("update", "edgecontroller", "resource", "default/node/x", object, false),
        ("update", "devicecontroller", "twin", "membership", object, false),
        ("response", "devicecontroller", "twin", "twin", "OK", false),
        ("publish", "router_eventbus", "user", "default/pod/x", object, false),
        ("upgrade", "taskmanager", "taskmanager", "upgrade/u/node/n", object, false),
        ("createvolume", "cloudhub", "resource", "default/volume/v", "{}", false),
        ("applicationResponse", "dynamiccontroller", "resource", "ignore/Application/ignore", object, false),
    ]
    static let object: JSONValue = ["metadata": ["name": "x", "uid": "u"]]

    @Test("the class of delivery follows type, source and operation", arguments: classes)
    func deliveryClass(_ row: (String, String, String, String, JSONValue, Bool)) {
        let message = EdgeMessage(source: row.1, group: row.2, operation: row.0, resource: row.3, content: row.4)
        #expect((message.deliveryClass == .acknowledged) == row.5)
    }

    @Test("an object for a node has kind, version and three parts of resource")
    func downstream() {
        var pod = KubeObject(["metadata": ["name": "web", "namespace": "default", "uid": "u", "resourceVersion": "7"]])
        let message = EdgeMessage.object(.update, pod, GroupVersionKind("v1", "Pod"))
        #expect(message.route.resource == "default/pod/web")
        #expect(message.header.resourceVersion == "7")
        #expect(message.content["kind"] == "Pod")
        #expect(message.content["apiVersion"] == "v1")
        pod.namespace = nil
        #expect(EdgeMessage.object(.insert, pod, GroupVersionKind("v1", "Node")).route.resource == "null/node/web")
        let removal = EdgeMessage.removal(ObjectKey(namespace: "a", name: "b"), uid: "u", GroupVersionKind("v1", "ConfigMap"))
        #expect(removal.route.operation == "delete")
        #expect(removal.header.resourceVersion?.isEmpty ?? true)
        #expect(removal.objectUID == "u")
        #expect(removal.content["kind"] == "ConfigMap")
    }
}
