import EdgeMessages
import KubeMachinery
import Primitives
import Supervision
import Testing

@testable import EdgeController

/// A request that a Go edge made and the answer that a Go cloud gave.
struct CapturedExchange: CustomTestStringConvertible, Sendable {
    var file: String
    var request: EdgeMessage
    var answer: EdgeMessage

    var testDescription: String { "\(file): \(request.route.operation) \(request.route.resource)" }

    static let all: [CapturedExchange] = {
        let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let names = [
            "01-certificate-connect-register", "02-idle-keepalive-lease-nodestatus", "03-pod-add-with-configmap-secret-satoken", "17-pod-delete",
            "19a-before-offline", "19c-edge-back-online-resync",
        ]
        return names.flatMap { name in (try? read("/\(folder)/Golden/Captures/\(name).jsonl", name)) ?? [] }
    }()

    private static func read(_ path: String, _ name: String) throws -> [CapturedExchange] {
        var open: [String: EdgeMessage] = [:]
        var exchanges: [CapturedExchange] = []
        for line in try FileText.read(path)?.split(separator: "\n") ?? [] {
            let entry = try JSONValue(parsing: String(line))
            guard entry["kind"].string == "message" else { continue }
            let message = try EdgeMessage(json: entry["raw"])
            if entry["dir"].string == "edge->cloud", message.route.source == "edged", message.route.operation != "response" {
                open[message.header.id] = message
            } else if let parent = message.header.parentID, let request = open[parent] {
                exchanges.append(CapturedExchange(file: name, request: request, answer: message))
            }
        }
        return exchanges
    }

    /// What the API must have said for the captured answer.
    func result() -> RequestResult {
        let content = answer.content
        if content == "OK" { return .done(resourceVersion: answer.header.resourceVersion ?? "") }
        let error = content.member("Err") ?? (content.member("ErrStatus") != nil ? content : .null)
        if !error.isNull, let status = KubeStatus(json: error["ErrStatus"]) { return .failed(status) }
        let object = KubeObject(content.member("Object") ?? content)
        return .object(object, object.kind.isEmpty ? Kinds.pod : GroupVersionKind(object.apiVersion, object.kind))
    }
}

@Suite("Answers as a Go cloud gives them")
struct CapturedAnswerTests {
    @Test("there are captured exchanges of every kind")
    func coverage() {
        let kinds = Set(CapturedExchange.all.map { "\($0.request.route.operation) \($0.request.resource.path?.type ?? "")" })
        #expect(
            kinds.isSuperset(of: [
                "insert node", "query node", "patch nodepatch", "query lease", "insert lease", "update lease", "query configmap", "query secret",
                "query serviceaccounttoken", "patch podpatch", "delete pod",
            ]), "\(kinds)")
    }

    @Test("content, route and version of the captured answer come out of the captured request", arguments: CapturedExchange.all)
    func answers(exchange: CapturedExchange) throws {
        let read = try #require(ReadRequest(exchange.request))
        _ = try read.request.get()
        var answer = read.form.answer(to: exchange.request, exchange.result())
        #expect(answer.content == exchange.answer.content)
        #expect(answer.route == exchange.answer.route)
        #expect(answer.header.parentID == exchange.request.header.id)
        #expect(answer.header.resourceVersion == exchange.answer.header.resourceVersion)
        answer.header = exchange.answer.header
        #expect(answer.json == exchange.answer.json)
    }
}

@Suite("Requests that make no sense")
struct ReadRequestTests {
    static let broken: [(String, String, JSONValue, String)] = [
        ("insert", "default/node/edge-1", "text", "BadRequest"), ("query", "default/thing/x", nil, "MethodNotAllowed"),
        ("patch", "default/podpatch/web", "no json", "BadRequest"), ("patch", "default/podpatch/web", "[1]", "BadRequest"),
        ("insert", "default/volumeattachment/va", [:], "MethodNotAllowed"), ("query", "default/configmap", nil, "BadRequest"),
        ("query", "default//x", nil, "BadRequest"), ("update", "default/secret/s", [:], "MethodNotAllowed"),
        ("query", "default/serviceaccounttoken/default", nil, "BadRequest"),
    ]

    @Test("they are answered all the same", arguments: broken)
    func refused(operation: String, resource: String, content: JSONValue, reason: String) throws {
        let message = EdgeMessage(source: "edged", group: "meta", operation: operation, resource: resource, content: content)
        let read = try #require(ReadRequest(message))
        let status = #expect(throws: KubeStatus.self) { try read.request.get() }
        #expect(status?.reason == reason)
        let answer = read.form.answer(to: message, .failed(try #require(status)))
        guard case .failure(let told) = answer.answer else { Issue.record("no failure"); return }
        #expect(told.reason == reason)
        #expect(answer.route.resource == resource && answer.route.operation == "response")
    }

    @Test("what is no request is not answered")
    func others() {
        for operation in ["response", "error", "upload", ""] {
            #expect(ReadRequest(EdgeMessage(source: "edged", group: "meta", operation: operation, resource: "a/b/c", content: nil)) == nil)
        }
    }

    @Test("names in the content give way to those of the resource; old edges delete by UID")
    func names() throws {
        let insert = EdgeMessage(
            source: "edged", group: "meta", operation: "insert", resource: "default/node/edge-1", content: ["metadata": ["name": "other"]])
        guard case .createNode(let node) = try ReadRequest(insert)?.request.get() else { Issue.record("no node"); return }
        #expect(node.name == "edge-1")
        let lease = EdgeMessage(
            source: "edged", group: "meta", operation: "update", resource: "kube-node-lease/lease/edge-1", content: ["metadata": ["namespace": "x"]])
        guard case .writeLease(let written, false) = try ReadRequest(lease)?.request.get() else { Issue.record("no lease"); return }
        #expect(written.key == ObjectKey(namespace: "kube-node-lease", name: "edge-1"))
        let delete = EdgeMessage(source: "edged", group: "meta", operation: "delete", resource: "default/pod/web", content: "uid-1")
        #expect(
            try ReadRequest(delete)?.request.get()
                == .deletePod(ObjectKey(namespace: "default", name: "web"), options: ["gracePeriodSeconds": 0, "preconditions": ["uid": "uid-1"]]))
    }
}
