import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("volumes of a pod")
struct VolumeTests {
    static func plan(_ json: String, pod: KubeObject = Fixture.pod()) throws -> VolumePlan {
        VolumePlan(try Fixture.json(json), in: Fixture.view(pod), node: Fixture.node)
    }

    struct Kind: Sendable {
        var json: String
        var plan: VolumePlan
    }

    private static func directory(_ plugin: String) -> String { "/var/lib/edged/pods/7b1f-4c/volumes/kubernetes.io~\(plugin)/v" }

    private static func empty(_ medium: VolumePlan.Medium, _ limit: Int64?) -> VolumePlan {
        .emptyDirectory(path: directory("empty-dir"), medium: medium, sizeLimit: limit)
    }

    static let rows: [Kind] = [
        Kind(json: #"{"name":"v","emptyDir":{}}"#, plan: empty(.disk, nil)),
        Kind(json: #"{"name":"v","emptyDir":{"sizeLimit":"1Mi"}}"#, plan: empty(.disk, 1_048_576)),
        Kind(json: #"{"name":"v","emptyDir":{"medium":"Memory","sizeLimit":"1Mi"}}"#, plan: empty(.memory, 1_048_576)),
        Kind(json: #"{"name":"v","emptyDir":{"medium":"Memory"}}"#, plan: empty(.memory, 4_294_967_296)),
        Kind(json: #"{"name":"v","emptyDir":{"medium":"HugePages-2Mi"}}"#, plan: empty(.hugePages(size: "2Mi"), nil)),
        Kind(json: #"{"name":"v","hostPath":{"path":"/x","type":"Directory"}}"#, plan: .hostPath(path: "/x", type: .directory)),
        Kind(json: #"{"name":"v","hostPath":{"path":"/x"}}"#, plan: .hostPath(path: "/x", type: .unchecked)),
        Kind(json: #"{"name":"v","configMap":{"name":"c"}}"#, plan: .files(path: directory("configmap"), onMemory: false)),
        Kind(json: #"{"name":"v","secret":{"secretName":"s"}}"#, plan: .files(path: directory("secret"), onMemory: true)),
        Kind(json: #"{"name":"v","downwardAPI":{}}"#, plan: .files(path: directory("downward-api"), onMemory: true)),
        Kind(json: #"{"name":"v","projected":{"sources":[]}}"#, plan: .files(path: directory("projected"), onMemory: true)),
        Kind(
            json: #"{"name":"v","nfs":{"server":"10.0.0.9","path":"/share","readOnly":true}}"#,
            plan: .nfs(server: "10.0.0.9", export: "/share", path: directory("nfs"), isReadOnly: true)),
        Kind(
            json: #"{"name":"v","glusterfs":{}}"#,
            plan: .unsupported(
                "volume \"v\" is of type glusterfs, which this node does not support: "
                    + "attach the storage to the node and use a persistent volume of type local, or use nfs")),
        Kind(
            json: #"{"name":"v","csi":{"driver":"x"}}"#,
            plan: .unsupported(
                "volume \"v\" is of type csi, which this node does not support: "
                    + "no storage drivers are run here: use a persistent volume of type local, hostPath or nfs")),
        Kind(
            json: #"{"name":"v","hostPath":{"path":"/x","type":"Odd"}}"#,
            plan: .unsupported("volume \"v\" has hostPath type \"Odd\", which does not exist")),
    ]

    @Test("what a volume is made of", arguments: rows)
    func made(kind: Kind) throws { #expect(try Self.plan(kind.json) == kind.plan) }

    @Test("memory of a volume is limited by the containers' memory")
    func memoryLimit() throws {
        let pod = Fixture.pod(containers: [Fixture.container("a", ["resources": ["limits": ["memory": "64Mi"]]])])
        let plan = try Self.plan(#"{"name":"v","emptyDir":{"medium":"Memory"}}"#, pod: pod)
        #expect(plan == Self.empty(.memory, 67_108_864))
    }

    static func files(_ json: String, pod: KubeObject = Fixture.pod(), tokens: [TokenNeed: ServiceAccountToken] = [:]) throws -> [String: VolumeFile]
    {
        try VolumeFiles(pod: Fixture.view(pod), node: Fixture.node, objects: EnvironmentTests.objects, tokens: tokens).files(try Fixture.json(json))
    }

    private static func listing(_ files: [String: VolumeFile]) -> String {
        files.sorted { $0.key < $1.key }.map { "\($0.key):\(String($0.value.mode, radix: 8)):\(String(decoding: $0.value.bytes, as: UTF8.self))" }
            .joined(separator: " ")
    }

    @Test(
        "the files of a volume",
        arguments: [
            (#"{"configMap":{"name":"cm","items":[{"key":"color","path":"a/b"}]}}"#, "a/b:644:blue"),
            (
                #"{"configMap":{"name":"cm","defaultMode":256,"items":[{"key":"color","path":"c","mode":511},{"key":"log.level","path":"l"}]}}"#,
                "c:777:blue l:400:info"
            ),
            (#"{"secret":{"secretName":"sec"}}"#, "password:644:s3cret"), (#"{"configMap":{"name":"no","optional":true}}"#, ""),
            (#"{"secret":{"secretName":"sec","optional":true,"items":[{"key":"no","path":"p"}]}}"#, ""),
            (
                #"{"downwardAPI":{"items":[{"path":"n","fieldRef":{"fieldPath":"metadata.name"}},{"path":"m","mode":256,"resourceFieldRef":{"containerName":"main","resource":"limits.cpu"}}]}}"#,
                "m:400:2 n:644:web"
            ),
            (
                #"{"projected":{"defaultMode":416,"sources":[{"configMap":{"name":"cm","items":[{"key":"color","path":"x"}]}},{"secret":{"name":"sec","items":[{"key":"password","path":"x"}]}},{"downwardAPI":{"items":[{"path":"ns","fieldRef":{"fieldPath":"metadata.namespace"}}]}}]}}"#,
                "ns:640:shop x:640:s3cret"
            ),
        ])
    func content(json: String, expected: String) throws { #expect(Self.listing(try Self.files(json)) == expected) }

    @Test("binary data is bytes")
    func binary() throws { #expect(try Self.files(#"{"configMap":{"name":"cm"}}"#)["raw"]?.bytes == [0, 1, 2]) }

    @Test(
        "what is missing or leads outside is refused in the kubelet's words",
        arguments: [
            (#"{"configMap":{"name":"no"}}"#, "configmap \"no\" not found"), (#"{"secret":{"secretName":"no"}}"#, "secret \"no\" not found"),
            (#"{"configMap":{"name":"cm","items":[{"key":"k","path":"p"}]}}"#, "configmap references non-existent config key: k"),
            (#"{"secret":{"secretName":"sec","items":[{"key":"k","path":"p"}]}}"#, "references non-existent secret key: k"),
            (
                #"{"configMap":{"name":"cm","items":[{"key":"color","path":"a/../../b"}]}}"#,
                "invalid path of a volume file, it must be relative and without '..': \"a/../../b\""
            ),
            (
                #"{"configMap":{"name":"cm","items":[{"key":"color","path":"/etc/x"}]}}"#,
                "invalid path of a volume file, it must be relative and without '..': \"/etc/x\""
            ),
        ])
    func refusals(json: String, message: String) { #expect(throws: VolumeFailure(message)) { try Self.files(json) } }

    // MARK: - Tokens

    static let projected = #"{"projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}]}}"#

    @Test("a token is asked for as the kubelet asks")
    func tokenRequest() throws {
        let pod = Fixture.view(Fixture.pod())
        let need = try #require(VolumeFiles.tokens(try Fixture.json(Self.projected), in: pod).first)
        #expect(
            need.request(for: pod).text()
                == #"{"metadata":{"creationTimestamp":null},"spec":{"audiences":null,"expirationSeconds":3607,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"web","uid":"7b1f-4c"}},"status":{"token":"","expirationTimestamp":null}}"#
        )
        #expect(throws: VolumeFailure.self) { try Self.files(Self.projected) }
    }

    @Test(
        "a token file is for its user alone where there is one",
        arguments: [(#"{}"#, UInt32(0o644), nil), (#"{"fsGroup":5}"#, 0o600, nil), (#"{"runAsUser":7}"#, 0o600, 7)] as [(String, UInt32, Int64?)])
    func tokenFile(context: String, mode: UInt32, owner: Int64?) throws {
        let pod = Fixture.pod(spec: ["securityContext": try Fixture.json(context)])
        let need = try #require(VolumeFiles.tokens(try Fixture.json(Self.projected), in: Fixture.view(pod)).first)
        let answer = KubeObject(["spec": ["expirationSeconds": 3607], "status": ["token": "t0k", "expirationTimestamp": "2026-11-23T12:16:04Z"]])
        let token = try #require(ServiceAccountToken(answer, need: need, now: Fixture.at(0)))
        let file = try Self.files(Self.projected, pod: pod, tokens: [need: token])["token"]
        #expect(file == VolumeFile(bytes: Array("t0k".utf8), mode: mode, owner: owner))
        #expect(token.refreshAt - Fixture.at(0).uptime == .seconds(3607) - .seconds(3607) / 5)
        #expect(!token.isExpired(Fixture.at(3606)) && token.isExpired(Fixture.at(3607)))
        #expect(!"\(String(describing: file))".contains("t0k"))
    }

    @Test("T49 under a clock that is a year off the next token is asked for at once or within a day", arguments: [(365.0, 0), (-365, 86400)])
    func tokenUnderWrongClock(days: Double, wait: Int) throws {
        let need = try #require(VolumeFiles.tokens(try Fixture.json(Self.projected), in: Fixture.view(Fixture.pod())).first)
        let answer = KubeObject(["spec": ["expirationSeconds": 3607], "status": ["token": "t0k", "expirationTimestamp": "2026-11-23T12:16:04Z"]])
        var now = Fixture.at(0)
        now.wall = now.wall + .seconds(days * 86400)
        let token = try #require(ServiceAccountToken(answer, need: need, now: now))
        #expect(token.refreshAt == now.uptime + .seconds(wait))
    }

    @Test("everything that a pod refers to is known by name")
    func references() throws {
        let container = Fixture.container(
            "main",
            ["env": [["name": "A", "valueFrom": ["secretKeyRef": ["name": "s1", "key": "k"]]]], "envFrom": [["configMapRef": ["name": "c1"]]]])
        let pod = Fixture.pod(
            containers: [container],
            spec: [
                "imagePullSecrets": [["name": "pull"]],
                "volumes": [
                    ["name": "v", "projected": ["sources": [["configMap": ["name": "c2"]], ["secret": ["name": "s2"]]]]],
                    ["name": "w", "secret": ["secretName": "s3"]],
                ],
            ])
        #expect(Fixture.view(pod).allObjects.sorted().map(\.name) == ["c1", "c2", "pull", "s1", "s2", "s3"])
    }
}
