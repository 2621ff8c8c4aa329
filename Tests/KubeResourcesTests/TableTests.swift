import KubeMachinery
import KubeResources
import Primitives
import Testing

@Suite("Tables")
struct TableTests {
    static let now = Timestamp(seconds: 1_700_000_000)

    private func text(_ json: String) throws -> KubeObject { KubeObject(try JSONValue(parsing: json)) }

    private func row(_ layout: TableLayout, _ object: KubeObject) -> [String] {
        layout.cells(object, Self.now).map { $0.string ?? $0.text() }
    }

    @Test(
        "ages as kubectl shows them",
        arguments: [
            (0, "0s"), (-1, "0s"), (-5, "<invalid>"), (119, "119s"), (120, "2m"), (332, "5m32s"), (600, "10m"), (10799, "179m"), (10800, "3h"),
            (25500, "7h5m"), (28800, "8h"), (172_799, "47h"), (172_800, "2d"), (273_600, "3d4h"), (691_200, "8d"), (34_560_000, "400d"),
            (64_000_000, "2y10d"), (252_288_000, "8y"),
        ] as [(Int64, String)])
    func ages(seconds: Int64, text: String) { #expect(AgeText.text(.seconds(seconds)) == text) }

    @Test(
        "the status of a pod",
        arguments: [
            (#""status":{"phase":"Pending"}"#, "0/1", "Pending", "0"),
            (
                #""status":{"phase":"Running","containerStatuses":[{"ready":true,"restartCount":0,"state":{"running":{}}}]}"#, "1/1", "Running", "0"
            ),
            (
                #""status":{"phase":"Running","containerStatuses":[{"restartCount":3,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"finishedAt":"2023-11-14T22:12:20Z"}}}]}"#,
                "0/1", "CrashLoopBackOff", "3 (60s ago)"
            ),
            (#""status":{"phase":"Succeeded","containerStatuses":[{"state":{"terminated":{"reason":"Completed"}}}]}"#, "0/1", "Completed", "0"),
            (#""status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":3}}}]}"#, "0/1", "ExitCode:3", "0"),
            (#""status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"signal":9}}}]}"#, "0/1", "Signal:9", "0"),
            (#""status":{"phase":"Failed","reason":"Evicted"}"#, "0/1", "Evicted", "0"),
            (
                #""status":{"phase":"Pending","initContainerStatuses":[{"restartCount":1,"state":{"waiting":{"reason":"ErrImagePull"}}}],"containerStatuses":[{"state":{"waiting":{"reason":"PodInitializing"}}}]}"#,
                "0/1", "Init:ErrImagePull", "1"
            ),
            (#""status":{"phase":"Pending","initContainerStatuses":[{"state":{"running":{}}}]}"#, "0/1", "Init:0/1", "0"),
            (
                #""status":{"phase":"Pending","initContainerStatuses":[{"state":{"terminated":{"exitCode":2,"reason":"Error"}}}]}"#, "0/1",
                "Init:Error", "0"
            ),
        ])
    func podStatus(status: String, ready: String, word: String, restarts: String) throws {
        let pod = try text(#"{"metadata":{"name":"p"},"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"c"}]},\#(status)}"#)
        #expect(Array(row(PodTable.layout, pod)[1...3]) == [ready, word, restarts])
    }

    @Test("a pod that is being deleted is terminating, with all columns")
    func terminating() throws {
        let pod = try text(
            #"{"metadata":{"name":"p","creationTimestamp":"2023-11-14T22:11:20Z","deletionTimestamp":"2023-11-14T22:13:20Z"},"spec":{"nodeName":"n","containers":[{}]},"status":{"phase":"Running","podIP":"10.0.0.2"}}"#
        )
        #expect(row(PodTable.layout, pod) == ["p", "0/1", "Terminating", "0", "2m", "10.0.0.2", "n", "<none>", "<none>"])
    }

    @Test("nodes, services, deployments and events")
    func others() throws {
        let node = try text(
            #"{"metadata":{"name":"n","labels":{"node-role.kubernetes.io/edge":"","node-role.kubernetes.io/agent":""}},"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],"addresses":[{"type":"InternalIP","address":"10.0.0.1"}],"nodeInfo":{"kubeletVersion":"v1.28.6-kubeedge-v1.17.0"}}}"#
        )
        #expect(
            Array(row(CoreTables.nodes, node).prefix(7)) == [
                "n", "Ready,SchedulingDisabled", "agent,edge", "<unknown>", "v1.28.6-kubeedge-v1.17.0", "10.0.0.1", "<none>",
            ])
        let service = try text(
            #"{"metadata":{"name":"s"},"spec":{"type":"NodePort","clusterIP":"10.96.0.9","ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}],"selector":{"b":"2","a":"1"}}}"#
        )
        #expect(row(CoreTables.services, service) == ["s", "NodePort", "10.96.0.9", "<none>", "80:30080/TCP,53/UDP", "<unknown>", "a=1,b=2"])
        let deployment = try text(
            #"{"metadata":{"name":"d"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"d"}},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}},"status":{"readyReplicas":1,"updatedReplicas":2}}"#
        )
        #expect(row(GroupTables.deployments, deployment) == ["d", "1/3", "2", "0", "<unknown>", "c", "i", "app=d"])
        let event = try text(
            #"{"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p"},"type":"Warning","reason":"Failed","message":"a\nb","lastTimestamp":"2023-11-14T22:13:00Z","firstTimestamp":"2023-11-14T22:12:50Z","count":2,"source":{"component":"kubelet","host":"n"}}"#
        )
        #expect(row(CoreTables.events, event) == ["20s", "Warning", "Failed", "pod/p", "", "kubelet, n", "a b", "30s", "2", "e"])
    }

    @Test("every layout has a cell for each column")
    func widths() {
        for definition in ResourceCatalogue.builtIn.definitions {
            let object = KubeObject(apiVersion: definition.apiVersion, kind: definition.kind, name: "x")
            #expect(definition.layout.cells(object, Self.now).count == definition.layout.columns.count, "\(definition.resource)")
        }
    }

    @Test("a table carries columns, rows and what was asked of the objects")
    func table() {
        let object = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "ns", name: "x")
        let table = KubeTable.json([object], layout: CoreTables.configMaps, now: Self.now, metadata: ["resourceVersion": "4"])
        #expect(table["kind"] == "Table")
        #expect(table["columnDefinitions"][0]["format"] == "name")
        #expect(table["rows"][0]["object"]["kind"] == "PartialObjectMetadata")
        #expect(table["rows"][0]["cells"] == ["x", 0, "<unknown>"])
        let bare = KubeTable.json([object], layout: CoreTables.configMaps, now: Self.now, include: .none, withColumns: false)
        #expect(bare["rows"][0].member("object") == nil)
        #expect(bare["columnDefinitions"] == [])
    }

    @Test(
        "JSON paths of printer columns",
        arguments: [
            (".spec.a", ["1"]), ("{.spec.a}", ["1"]), (".status.conditions[?(@.type==\"Ready\")].status", ["True"]),
            (".status.conditions[?(@.type=='None')].status", []), (".status.conditions[0].type", ["Other"]),
            (".status.conditions[-1].type", ["Ready"]), (".status.conditions[*].type", ["Other", "Ready"]), (".spec['b.c']", ["2"]),
            (".spec.b\\.c", ["2"]), (".none.x", []), ("$.spec.a", ["1"]),
        ] as [(String, [String])])
    func paths(path: String, expected: [String]) throws {
        let document = try JSONValue(
            parsing: #"{"spec":{"a":1,"b.c":2},"status":{"conditions":[{"type":"Other"},{"type":"Ready","status":"True"}]}}"#)
        #expect(try #require(JSONPath(path)).values(in: document).map { $0.string ?? $0.text() } == expected)
    }

    @Test("other JSON paths are refused", arguments: [".a[", ".a[?(@.b>1)]", "..a", ".a['x]"])
    func refusedPaths(path: String) { #expect(JSONPath(path) == nil) }
}
