import EdgeMessages
import KubeMachinery
import KubeResources
import Primitives

/// A kind that nodes read whole.
enum ReadableKind: String, CaseIterable {
    case node, configMap, secret, persistentVolume, persistentVolumeClaim, volumeAttachment, signingRequest, runtimeClass

    var resource: GroupVersionResource {
        switch self {
        case .node: Resources.nodes
        case .configMap: Resources.configMaps
        case .secret: Resources.secrets
        case .persistentVolume: Resources.persistentVolumes
        case .persistentVolumeClaim: Resources.persistentVolumeClaims
        case .volumeAttachment: Resources.volumeAttachments
        case .signingRequest: Resources.certificateSigningRequests
        case .runtimeClass: GroupVersionResource(group: "node.k8s.io", resource: "runtimeclasses")
        }
    }

    var kind: GroupVersionKind {
        switch self {
        case .node: GroupVersionKind("v1", "Node")
        case .configMap: GroupVersionKind("v1", "ConfigMap")
        case .secret: GroupVersionKind("v1", "Secret")
        case .persistentVolume: GroupVersionKind("v1", "PersistentVolume")
        case .persistentVolumeClaim: GroupVersionKind("v1", "PersistentVolumeClaim")
        case .volumeAttachment: GroupVersionKind("storage.k8s.io/v1", "VolumeAttachment")
        case .signingRequest: GroupVersionKind("certificates.k8s.io/v1", "CertificateSigningRequest")
        case .runtimeClass: GroupVersionKind("node.k8s.io/v1", "RuntimeClass")
        }
    }

    /// The word in resources of messages, which is the kind in lower case.
    var word: String { EdgeType.word(kind: kind.kind) }

    /// Whether objects of the kind have a namespace; on the wire those that have none stand under `default`.
    var isNamespaced: Bool {
        switch self {
        case .configMap, .secret, .persistentVolumeClaim: true
        default: false
        }
    }

    init?(word: String) {
        guard let kind = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = kind
    }
}

/// What a node asks of the cluster (`spec/01 §5.5`).
enum NodeRequest: Hashable {
    case read(ReadableKind, ObjectKey)
    case readLease(ObjectKey)
    case readServices(namespace: String)
    /// A `TokenRequest` for the service account.
    case token(ObjectKey, JSONValue)
    case createNode(KubeObject)
    /// Labels and annotations to be merged into a node.
    case updateNode(name: String, labels: JSONValue, annotations: JSONValue)
    case patchNode(name: String, JSONValue)
    /// The deprecated report of a whole node status.
    case reportNode(name: String, JSONValue)
    case createPod(KubeObject)
    case patchPod(ObjectKey, JSONValue)
    case deletePod(ObjectKey, options: JSONValue)
    /// The deprecated report of pod statuses: `{"UID","Name","Status"}` each.
    case reportPods(namespace: String, [JSONValue])
    case writeLease(KubeObject, isNew: Bool)
    case createSigningRequest(KubeObject)
    /// An event of the kubelet that is new.
    case createEvent(KubeObject)
    /// An event that has happened again: as it is now, and the patch that leads to it.
    case patchEvent(KubeObject, JSONValue)
}

extension NodeRequest {
    /// Whether Go edges never wait for an answer to it.
    var isReport: Bool {
        switch self {
        case .createEvent, .patchEvent: true
        default: false
        }
    }
}

/// In what form a request is answered (`spec/01 §5.5`).
enum AnswerForm: Hashable {
    /// The object or `{"ErrStatus":…}`.
    case raw
    /// `{"Object","Err"}`; `empty` stands beside an error.
    case outcome(empty: JSONValue, hasVersion: Bool)
    /// `OK` or `{"ErrStatus":…}`.
    case done
}

/// A request as read from a message: its form is known even where it makes no sense, so that it can be answered (`spec/01` D-44).
struct ReadRequest {
    var form: AnswerForm
    var request: Result<NodeRequest, KubeStatus>

    /// Reads a message; nil where it is none of a node's requests to this controller and nobody waits for an answer.
    init?(_ message: EdgeMessage) {
        let operation = message.route.operation
        let known = [EdgeOperation.insert, EdgeOperation.update, EdgeOperation.delete, EdgeOperation.query, EdgeOperation.patch]
        guard known.contains(operation) else { return nil }
        guard let path = message.resource.path else {
            form = .raw
            request = .failure(.badRequest("the resource \"\(message.route.resource.prefix(256))\" is no <namespace>/<type>/<name>"))
            return
        }
        form = Self.form(path.type, operation)
        do { request = .success(try Self.read(path, operation, message.content)) } catch { request = .failure(error) }
    }

    private static func form(_ type: String, _ operation: String) -> AnswerForm {
        switch (type, operation) {
        case (EdgeType.node, EdgeOperation.insert): .outcome(empty: EmptyObject.node, hasVersion: false)
        case (EdgeType.nodePatch, _): .outcome(empty: EmptyObject.node, hasVersion: true)
        case (EdgeType.podPatch, _), (EdgeType.pod, EdgeOperation.insert): .outcome(empty: EmptyObject.pod, hasVersion: true)
        case (EdgeType.lease, EdgeOperation.query): .outcome(empty: .null, hasVersion: false)
        case (EdgeType.lease, _): .outcome(empty: EmptyObject.lease, hasVersion: false)
        case (EdgeType.signingRequest, EdgeOperation.insert): .outcome(empty: EmptyObject.signingRequest, hasVersion: false)
        case (EdgeType.node, EdgeOperation.update), (EdgeType.nodeStatus, _), (EdgeType.podStatus, _), (EdgeType.pod, EdgeOperation.delete),
            (EdgeType.event, _):
            .done
        default: .raw
        }
    }

    private static func read(_ path: EdgeObjectPath, _ operation: String, _ content: JSONValue) throws(KubeStatus) -> NodeRequest {
        if path.type == EdgeType.podStatus { return .reportPods(namespace: path.namespace, content.array ?? [content]) }
        guard let name = path.name else { throw .badRequest("the resource \(path) names no object") }
        let key = ObjectKey(namespace: path.namespace, name: name)
        switch (path.type, operation) {
        case (EdgeType.serviceAccountToken, EdgeOperation.query): return .token(key, try object(content, "a TokenRequest").json)
        case (EdgeType.lease, EdgeOperation.query): return .readLease(key)
        case (EdgeType.serviceList, EdgeOperation.query): return .readServices(namespace: path.namespace)
        case (_, EdgeOperation.query):
            guard let kind = ReadableKind(word: path.type) else { break }
            return .read(kind, kind.isNamespaced ? key : ObjectKey(name: name))
        case (EdgeType.node, EdgeOperation.insert):
            var node = try object(content, "a Node")
            node.name = name
            return .createNode(node)
        case (EdgeType.node, EdgeOperation.update):
            let node = try object(content, "a Node")
            return .updateNode(name: name, labels: node.metadata["labels"], annotations: node.metadata["annotations"])
        case (EdgeType.nodePatch, _):
            var patch = try patch(content)
            // Where streams are reached is the cloud's to say.
            if patch["status"].object != nil { patch["status"].removeMember("daemonEndpoints") }
            return .patchNode(name: name, patch)
        case (EdgeType.nodeStatus, EdgeOperation.insert), (EdgeType.nodeStatus, EdgeOperation.update): return .reportNode(name: name, content)
        case (EdgeType.podPatch, _): return .patchPod(key, try patch(content))
        case (EdgeType.pod, EdgeOperation.insert): return .createPod(try named(content, key, "a Pod"))
        case (EdgeType.pod, EdgeOperation.delete): return .deletePod(key, options: options(content))
        case (EdgeType.lease, EdgeOperation.insert), (EdgeType.lease, EdgeOperation.update):
            return .writeLease(try named(content, key, "a Lease"), isNew: operation == EdgeOperation.insert)
        case (EdgeType.signingRequest, EdgeOperation.insert):
            var request = try object(content, "a CertificateSigningRequest")
            request.name = name
            return .createSigningRequest(request)
        case (EdgeType.event, _): return try event(operation, key, content)
        default: break
        }
        throw KubeStatus(code: 405, reason: "MethodNotAllowed", message: "the cloud does not answer \(operation) of \(path.type)")
    }

    /// An update says nothing that the patch of a repeated event does not.
    private static func event(_ operation: String, _ key: ObjectKey, _ content: JSONValue) throws(KubeStatus) -> NodeRequest {
        switch operation {
        case EdgeOperation.insert: return .createEvent(EdgeEvent.event(try named(content, key, "an Event")))
        case EdgeOperation.update:
            let event = try named(content, key, "an Event")
            return .patchEvent(EdgeEvent.event(event), EdgeEvent.patch(event.json))
        case EdgeOperation.patch:
            let parts = try object(content, "a repeated event").json
            return .patchEvent(EdgeEvent.event(try named(parts["event"], key, "an Event")), EdgeEvent.patch(try patch(parts["patchData"])))
        default: throw KubeStatus(code: 405, reason: "MethodNotAllowed", message: "the cloud does not answer \(operation) of events")
        }
    }

    private static func object(_ content: JSONValue, _ what: String) throws(KubeStatus) -> KubeObject {
        var content = content
        if case .string(let text) = content, let parsed = try? JSONValue(parsing: text) { content = parsed }
        guard case .object = content else { throw .badRequest("the content is no \(what)") }
        return KubeObject(content)
    }

    private static func named(_ content: JSONValue, _ key: ObjectKey, _ what: String) throws(KubeStatus) -> KubeObject {
        var object = try object(content, what)
        object.name = key.name
        object.namespace = key.namespace
        return object
    }

    /// A patch travels as text; one that is an object is taken too.
    private static func patch(_ content: JSONValue) throws(KubeStatus) -> JSONValue {
        if case .object = content { return content }
        guard let text = content.string, let patch = try? JSONValue(parsing: text), case .object = patch else {
            throw .badRequest("the content is no strategic merge patch")
        }
        return patch
    }

    /// Old edges send the UID of the pod alone.
    private static func options(_ content: JSONValue) -> JSONValue {
        if let uid = content.string, !uid.isEmpty { return ["gracePeriodSeconds": 0, "preconditions": ["uid": .string(uid)]] }
        return content.object == nil ? .null : content
    }
}

/// What Go's typed clients give beside an error, member for member (`spec/01 §5.3`, captures).
enum EmptyObject {
    private static let metadata: JSONValue = ["creationTimestamp": nil]

    static let node: JSONValue = [
        "metadata": metadata, "spec": [:],
        "status": [
            "daemonEndpoints": ["kubeletEndpoint": ["Port": 0]],
            "nodeInfo": [
                "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "", "containerRuntimeVersion": "",
                "kubeletVersion": "",
                "kubeProxyVersion": "", "operatingSystem": "", "architecture": "",
            ],
        ],
    ]
    static let pod: JSONValue = ["metadata": metadata, "spec": ["containers": nil], "status": [:]]
    static let lease: JSONValue = ["metadata": metadata, "spec": [:]]
    static let signingRequest: JSONValue = ["metadata": metadata, "spec": ["request": nil, "signerName": ""], "status": [:]]
}
