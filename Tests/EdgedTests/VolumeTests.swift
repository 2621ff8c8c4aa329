import EdgeTesting
import Glibc
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite(.enabled(if: getuid() == 0, "mounting needs root")) struct VolumeTests {
    private static func configMap(_ colour: String) -> KubeObject {
        var map = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "settings")
        map.json["data"] = ["colour": .string(colour), "size": "9"]
        return map
    }

    private static let pod = makePod(
        "web",
        [
            "serviceAccountName": "robot",
            "volumes": [
                ["name": "scratch", "emptyDir": [:]], ["name": "memory", "emptyDir": ["medium": "Memory", "sizeLimit": "1Mi"]],
                ["name": "settings", "configMap": ["name": "settings"]],
                [
                    "name": "access",
                    "projected": [
                        "sources": [
                            ["serviceAccountToken": ["path": "token", "expirationSeconds": 3600]],
                            ["downwardAPI": ["items": [["path": "name", "fieldRef": ["fieldPath": "metadata.name"]]]]],
                        ]
                    ],
                ],
            ],
        ],
        container: [
            "volumeMounts": [
                ["name": "scratch", "mountPath": "/scratch", "subPath": "deep/er"], ["name": "memory", "mountPath": "/memory"],
                ["name": "settings", "mountPath": "/settings"], ["name": "access", "mountPath": "/access"],
            ]
        ])

    @Test func `volumes are made, filled, brought up to date within two seconds and taken away`() async throws {
        try await withKubelet { bed in
            await bed.backend.put(configMap: Self.configMap("blue"))
            await bed.backend.start([Self.pod])
            try await bed.eventually("it runs") { await bed.phase(Self.pod) == "Running" }
            let plan = try #require(await bed.runtime.plan(ofContainer: "web-main"))
            func host(_ path: String) -> String { plan.mounts.first { $0.containerPath == path }?.hostPath ?? "" }
            #expect(HostFiles.text(host("/settings") + "/colour") == "blue")
            #expect(HostFiles.text(host("/access") + "/token")?.hasPrefix("token-robot-") == true)
            #expect(HostFiles.text(host("/access") + "/name") == "web")
            #expect(Mounts.isMountPoint(host("/memory")) && Mounts.isMountPoint(host("/access")))
            #expect(Mounts.points(below: host("/scratch")) == [host("/scratch")])

            await bed.backend.put(configMap: Self.configMap("red"))
            try await bed.eventually("the file follows", within: .seconds(2)) { HostFiles.text(host("/settings") + "/colour") == "red" }

            let first = HostFiles.text(host("/access") + "/token")
            await bed.pass(.seconds(3600))
            #expect(HostFiles.text(host("/access") + "/token") != first)

            await bed.backend.delete(Self.pod.uid, grace: 1)
            try await bed.eventually("it is gone") { await bed.runtime.sandboxCount == 0 }
            #expect(Mounts.points(below: bed.directory).isEmpty)
            try await bed.eventually("its files are gone") { !HostFiles.exists(bed.configuration.rootDirectory + "/pods/uid-web") }
        }
    }

    @Test func `a configMap that cannot be read any more leaves the files as they are`() async throws {
        try await withKubelet { bed in
            await bed.backend.put(configMap: Self.configMap("blue"))
            await bed.backend.start([Self.pod])
            try await bed.eventually("it runs") { await bed.phase(Self.pod) == "Running" }
            let plan = try #require(await bed.runtime.plan(ofContainer: "web-main"))
            let path = (plan.mounts.first { $0.containerPath == "/settings" }?.hostPath ?? "") + "/colour"
            await bed.backend.fail("configMap", .serviceUnavailable("the store is away"))
            await bed.backend.put(configMap: Self.configMap("red"))
            await bed.pass(.seconds(5))
            #expect(HostFiles.text(path) == "blue")
            #expect(await bed.phase(Self.pod) == "Running")
            await bed.backend.fail("configMap", nil)
            try await bed.eventually("the file follows", within: .seconds(60)) { HostFiles.text(path) == "red" }
        }
    }

    @Test func `a pod whose configMap does not exist waits for it`() async throws {
        try await withKubelet { bed in
            await bed.backend.start([Self.pod])
            try await bed.eventually("it waits") { await bed.waitingReason(Self.pod) == "ContainerCreating" }
            await bed.pass(.seconds(10))
            #expect(await bed.runtime.calls.isEmpty)
            await bed.backend.put(configMap: Self.configMap("blue"))
            try await bed.eventually("it runs", within: .seconds(3)) { await bed.phase(Self.pod) == "Running" }
        }
    }
}
