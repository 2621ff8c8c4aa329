import DevCluster
import KubeMachinery
import Primitives
import Testing

extension ConformanceTests {
    /// test/e2e/common/storage, and expansion.go, configmap.go, secrets.go and downwardapi.go of test/e2e/common/node.
    @Suite struct Volumes {
        @Test func `configMaps, secrets and projected volumes have the content, names and modes asked for`() async throws {
            try await ConformanceBed.run { bed in
                await bed.backend.put(configMap: ConformanceBed.object("ConfigMap", "settings", ["data-1": "value-1", "data-2": "value-2"]))
                var binary = ConformanceBed.object("ConfigMap", "binary", ["text": "t"])
                binary.json["binaryData"] = ["dump": "3q2+7w=="]
                await bed.backend.put(configMap: binary)
                await bed.backend.put(secret: ConformanceBed.object("Secret", "key", ["data-1": "dmFsdWUtMQ=="]))
                let volumes: JSONValue = [
                    ["name": "plain", "configMap": ["name": "settings"]],
                    ["name": "strict", "configMap": ["name": "settings", "defaultMode": 256]],
                    [
                        "name": "items",
                        "configMap": ["name": "settings", "items": [["key": "data-2", "path": "path/to/data-2", "mode": 256]]],
                    ], ["name": "binary", "configMap": ["name": "binary"]],
                    ["name": "secret", "secret": ["secretName": "key", "defaultMode": 256]],
                    ["name": "absent", "secret": ["secretName": "nowhere", "optional": true]],
                    [
                        "name": "all",
                        "projected": [
                            "sources": [
                                ["configMap": ["name": "settings", "items": [["key": "data-1", "path": "config"]]]],
                                ["secret": ["name": "key", "items": [["key": "data-1", "path": "secret"]]]],
                                ["downwardAPI": ["items": [["path": "name", "fieldRef": ["fieldPath": "metadata.name"]]]]],
                                ["serviceAccountToken": ["path": "token", "expirationSeconds": 3600]],
                            ]
                        ],
                    ],
                ]
                let script = """
                    cat /v/plain/data-1; echo; cat /v/plain/data-2; echo; stat -L -c %a /v/plain/data-1 /v/strict/data-1 /v/items/path/to/data-2
                    ls /v/items; wc -c < /v/binary/dump; stat -L -c %a /v/secret/data-1; ls /v/absent | wc -l
                    cat /v/all/config /v/all/secret /v/all/name; echo; test -s /v/all/token && echo token
                    echo x 2>/dev/null > /v/plain/new || echo read-only
                    """
                let mounts = volumes.elements.map { volume -> JSONValue in
                    ["name": volume["name"], "mountPath": .string("/v/" + (volume["name"].string ?? ""))]
                }
                let pod = ConformanceBed.pod("files", script, container: ["volumeMounts": .array(mounts)], spec: ["volumes": volumes])
                let other = ConformanceBed.pod(
                    "files-user", "cat /v/plain/data-1 && id -u", container: ["volumeMounts": [mounts[0]]],
                    spec: ["volumes": [volumes[0]], "securityContext": ["runAsUser": 1000]])
                await bed.start(pod, other)
                try await bed.untilEnded(pod)
                #expect(
                    await bed.log(pod)
                        == "value-1\nvalue-2\n644\n400\n400\npath\n4\n400\n0\nvalue-1value-1files\ntoken\nread-only\n")
                try await bed.untilEnded(other)
                #expect(await bed.log(other) == "value-11000\n")
            }
        }

        @Test func `files of running pods follow what is changed, taken away and made`() async throws {
            try await ConformanceBed.run { bed in
                for name in ["changed", "deleted"] {
                    await bed.backend.put(configMap: ConformanceBed.object("ConfigMap", name, ["data-1": "value-1"]))
                    await bed.backend.put(secret: ConformanceBed.object("Secret", name, ["data-1": "dmFsdWUtMQ=="]))
                }
                var (volumes, mounts): ([JSONValue], [JSONValue]) = ([], [])
                for name in ["changed", "deleted", "created"] {
                    volumes.append(["name": .string("cm-\(name)"), "configMap": ["name": .string(name), "optional": true]])
                    volumes.append(["name": .string("secret-\(name)"), "secret": ["secretName": .string(name), "optional": true]])
                    volumes.append([
                        "name": .string("projected-\(name)"),
                        "projected": ["sources": [["configMap": ["name": .string(name), "optional": true]]]],
                    ])
                }
                volumes.append(["name": "labels", "downwardAPI": ["items": [["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]]]]])
                for volume in volumes { mounts.append(["name": volume["name"], "mountPath": .string("/v/" + (volume["name"].string ?? ""))]) }
                let pod = ConformanceBed.pod(
                    "follows", container: ["volumeMounts": .array(mounts)], spec: ["volumes": .array(volumes)], metadata: ["labels": ["key1": "one"]])
                await bed.start(pod)
                try await bed.untilRunning(pod)
                #expect(
                    try await bed.run("cat /v/*/data-1; cat /v/labels/labels", in: pod) == String(repeating: "value-1", count: 6) + "key1=\"one\"")

                let clock = SystemClock()
                let start = clock.now().uptime
                await bed.backend.put(configMap: ConformanceBed.object("ConfigMap", "changed", ["data-1": "new", "data-3": "more"]))
                await bed.backend.put(secret: ConformanceBed.object("Secret", "changed", ["data-3": "bmV3"]))
                await bed.backend.put(configMap: ConformanceBed.object("ConfigMap", "created", ["data-1": "born"]))
                await bed.backend.put(secret: ConformanceBed.object("Secret", "created", ["data-1": "Ym9ybg=="]))
                await bed.backend.remove(configMap: ObjectKey(namespace: "default", name: "deleted"))
                await bed.backend.remove(secret: ObjectKey(namespace: "default", name: "deleted"))
                try await bed.change(pod) { $0.metadata["labels"]["key2"] = "two" }
                let expected = [
                    "cm-changed:data-1=new", "cm-changed:data-3=more", "cm-created:data-1=born", "projected-changed:data-1=new",
                    "projected-changed:data-3=more", "projected-created:data-1=born", "secret-changed:data-3=new", "secret-created:data-1=born",
                ]
                let list = "cd /v; for f in */data-*; do echo ${f%%/*}:${f##*/}=$(cat $f); done"
                try await bed.eventually("the files are as they should be") {
                    try await bed.run(list, in: pod).split(separator: "\n").map(String.init).sorted() == expected
                }
                try await bed.eventually("the labels too") { try await bed.run("cat /v/labels/labels", in: pod) == "key1=\"one\"\nkey2=\"two\"" }
                #expect(clock.now().uptime - start < .seconds(4))
                #expect(await bed.container(pod)["restartCount"] == 0)
            }
        }

        @Test func `a pod waits for a configMap that it needs`() async throws {
            try await ConformanceBed.run { bed in
                let pod = ConformanceBed.pod(
                    "needs", container: ["volumeMounts": [["name": "cm", "mountPath": "/cm"]]],
                    spec: ["volumes": [["name": "cm", "configMap": ["name": "late", "items": [["key": "k", "path": "k"]]]]]])
                await bed.start(pod)
                try await bed.eventually("it waits") { await bed.waiting(pod) == "ContainerCreating" }
                await bed.backend.put(configMap: ConformanceBed.object("ConfigMap", "late", ["other": "x"]))
                await bed.backend.put(configMap: ConformanceBed.object("ConfigMap", "late", ["k": "v"]))
                try await bed.untilRunning(pod)
                #expect(try await bed.run("cat /cm/k", in: pod) == "v")
            }
        }

        @Test func `empty directories and paths of the host have the mode, the medium and the size asked for`() async throws {
            try await ConformanceBed.run { bed in
                let folder = bed.containerd.directory + "/host"
                try HostFile.makeDirectory(folder)
                let volumes: JSONValue = [
                    ["name": "disk", "emptyDir": [:]], ["name": "memory", "emptyDir": ["medium": "Memory"]],
                    ["name": "sized", "emptyDir": ["medium": "Memory", "sizeLimit": "4Mi"]],
                    ["name": "host", "hostPath": ["path": .string(folder)]],
                    ["name": "made", "hostPath": ["path": .string(folder + "/made"), "type": "DirectoryOrCreate"]],
                    ["name": "file", "hostPath": ["path": .string(folder + "/file"), "type": "FileOrCreate"]],
                ]
                let mounts = volumes.elements.map { volume -> JSONValue in
                    ["name": volume["name"], "mountPath": .string("/v/" + (volume["name"].string ?? ""))]
                }
                let sub: JSONValue = ["name": "host", "mountPath": "/sub", "subPath": "below/here"]
                let script = """
                    stat -c %a /v/disk /v/memory /v/made; grep -c '/v/memory tmpfs' /proc/mounts; df -k /v/sized | tail -n 1 | awk '{print $2}'
                    echo shared > /v/disk/f; echo below > /sub/f; stat -c %F /v/file; while ! test -e /v/disk/done; do sleep 0.05; done
                    """
                var spec: JSONValue = ["volumes": volumes]
                spec["containers"] = [
                    ConformanceBed.container("main", script, ["volumeMounts": .array(mounts + [sub])]),
                    ConformanceBed.container(
                        "second", "while ! test -s /d/f; do sleep 0.05; done; cat /d/f; id -u > /d/done",
                        ["volumeMounts": [["name": "disk", "mountPath": "/d"]], "securityContext": ["runAsUser": 1001]]),
                ]
                let pod = ConformanceBed.pod("directories", spec: spec)
                await bed.start(pod)
                try await bed.untilEnded(pod)
                #expect(await bed.log(pod) == "777\n777\n755\n1\n4096\nregular empty file\n")
                #expect(await bed.log(pod, "second") == "shared\n")
                #expect(try HostFile.read(folder + "/below/here/f") == Array("below\n".utf8))
            }
        }

        @Test func `a sub-path is made from variables, and one that cannot be is shown and can be mended`() async throws {
            try await ConformanceBed.run { bed in
                func pod(_ name: String, annotation: String) -> KubeObject {
                    ConformanceBed.pod(
                        name, "cat /proc/mounts | grep -c ' /sub '; echo x > /sub/f; ls /all/*; sleep 100",
                        container: [
                            "env": [
                                ["name": "PLACE", "valueFrom": ["fieldRef": ["fieldPath": "metadata.annotations['place']"]]],
                                ["name": "POD_NAME", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                            ],
                            "volumeMounts": [
                                ["name": "work", "mountPath": "/sub", "subPathExpr": "$(PLACE)/$(POD_NAME)"], ["name": "work", "mountPath": "/all"],
                            ],
                        ], spec: ["volumes": [["name": "work", "emptyDir": [:]]]], metadata: ["annotations": ["place": .string(annotation)]])
                }
                let (good, absolute, outside) = (
                    pod("good", annotation: "mine"), pod("absolute", annotation: "/tmp"), pod("outside", annotation: "..")
                )
                await bed.start(good, absolute, outside)
                try await bed.untilRunning(good)
                try await bed.eventually("it has listed") { await bed.log(good).hasSuffix("good\n") }
                for pod in [absolute, outside] {
                    try await bed.eventually("\(pod.name) shows why") { await bed.waiting(pod) == "CreateContainerConfigError" }
                    #expect(await bed.phase(pod) == "Pending")
                }
                try await bed.change(absolute) { $0.metadata["annotations"]["place"] = "fine" }
                try await bed.untilRunning(absolute)
            }
        }

        @Test func `the environment has every source, the downward API its defaults and divisors`() async throws {
            try await ConformanceBed.run { bed in
                await bed.backend.put(configMap: ConformanceBed.object("ConfigMap", "settings", ["COLOUR": "blue", "1bad": "x"]))
                await bed.backend.put(secret: ConformanceBed.object("Secret", "key", ["PASSWORD": "c2VzYW1l"]))
                func field(_ name: String, _ path: String) -> JSONValue {
                    ["name": .string(name), "valueFrom": ["fieldRef": ["fieldPath": .string(path)]]]
                }
                func resource(_ name: String, _ resource: String, _ divisor: String? = nil) -> JSONValue {
                    var reference: JSONValue = ["resource": .string(resource)]
                    if let divisor { reference["divisor"] = .string(divisor) }
                    return ["name": .string(name), "valueFrom": ["resourceFieldRef": reference]]
                }
                let env: JSONValue = [
                    field("POD", "metadata.name"), field("NS", "metadata.namespace"), field("UID", "metadata.uid"), field("IP", "status.podIP"),
                    field("HOST_IP", "status.hostIP"), field("NODE", "spec.nodeName"), field("SA", "spec.serviceAccountName"),
                    field("LABEL", "metadata.labels['app']"), resource("CPU", "limits.cpu"), resource("MILLI", "limits.cpu", "1m"),
                    resource("MEMORY", "limits.memory", "1Mi"), resource("REQUEST", "requests.memory"),
                    ["name": "FROM", "valueFrom": ["configMapKeyRef": ["name": "settings", "key": "COLOUR"]]],
                    ["name": "NOT", "valueFrom": ["secretKeyRef": ["name": "key", "key": "none", "optional": true]]],
                    ["name": "SUM", "value": "$(POD)-$(FROM)-$(P_COLOUR)-$$(POD)-$(NONE)"],
                ]
                let pod = ConformanceBed.pod(
                    "env", "env",
                    container: [
                        "env": env,
                        "envFrom": [["prefix": "P_", "configMapRef": ["name": "settings"]], ["secretRef": ["name": "key"]]],
                        "resources": ["requests": ["cpu": "250m", "memory": "32Mi"], "limits": ["cpu": "1250m", "memory": "64Mi"]],
                    ], spec: ["serviceAccountName": "robot"], metadata: ["labels": ["app": "shop"]])
                let bare = ConformanceBed.pod(
                    "bare", "env",
                    container: ["env": [resource("CPU", "limits.cpu"), resource("MEMORY", "limits.memory"), resource("ASKED", "requests.cpu")]])
                let network = ConformanceBed.pod(
                    "network", "env", container: ["env": [field("HOST_IP", "status.hostIP"), field("IP", "status.podIP")]],
                    spec: ["hostNetwork": true])
                await bed.start(pod, bare, network)
                for pod in [pod, bare, network] { try await bed.untilEnded(pod) }
                let lines = Set(await bed.log(pod).split(separator: "\n").map(String.init))
                let status = await bed.status(pod)
                for line in [
                    "POD=env", "NS=default", "UID=\(pod.uid)", "IP=\(status["podIP"].string ?? "?")", "HOST_IP=\(status["hostIP"].string ?? "?")",
                    "NODE=edge-1", "SA=robot", "LABEL=shop", "CPU=2", "MILLI=1250", "MEMORY=64", "REQUEST=33554432", "FROM=blue", "P_COLOUR=blue",
                    "PASSWORD=sesame", "SUM=env-blue-blue-$(POD)-$(NONE)",
                ] {
                    #expect(lines.contains(line), "\(line)")
                }
                #expect(!lines.contains { $0.hasPrefix("NOT=") })
                let defaults = await bed.log(bare).split(separator: "\n").reduce(into: [String: Int]()) { values, line in
                    let parts = line.split(separator: "=")
                    if parts.count == 2 { values[String(parts[0])] = Int(parts[1]) }
                }
                #expect((defaults["CPU"] ?? 0) > 0 && (defaults["MEMORY"] ?? 0) > 1 << 20, "what the node has to give")
                #expect(defaults["ASKED"] == 0)
                let address = await bed.status(network)["hostIP"].string ?? "?"
                let own = Set(await bed.log(network).split(separator: "\n").map(String.init))
                #expect(own.isSuperset(of: ["HOST_IP=\(address)", "IP=\(address)"]))
            }
        }
    }
}
