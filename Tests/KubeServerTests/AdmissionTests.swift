import KubeMachinery
import KubeServer
import Primitives
import Testing

@Suite("Admission")
struct AdmissionTests {
    private static let pods = "/api/v1/namespaces/default/pods"
    private static let services = "/api/v1/namespaces/default/services"

    @Test("a pod gets its account, its token, its tolerations and its first status")
    func pods() async throws {
        let api = try await ServerFixture()
        let pod = try await api.succeed("POST", Self.pods, ServerFixture.pod("p"))
        #expect(pod["spec"]["serviceAccountName"] == "default")
        #expect(pod["spec"]["priority"] == 0)
        #expect(pod["status"]["phase"] == "Pending")
        #expect(pod["status"]["qosClass"] == "BestEffort")
        let volume = pod["spec"]["volumes"][0]
        #expect(volume["name"].string?.hasPrefix("kube-api-access-") == true)
        #expect(volume["projected"]["sources"].elements.count == 3)
        let mount = pod["spec"]["containers"][0]["volumeMounts"][0]
        #expect(mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount")
        #expect(mount["name"] == volume["name"])
        #expect(pod["spec"]["tolerations"].elements.map { $0["tolerationSeconds"] } == [300, 300])
    }

    @Test("who wants no token gets none, on the account or on the pod", arguments: [true, false])
    func noToken(onPod: Bool) async throws {
        let api = try await ServerFixture()
        var pod = ServerFixture.pod("p")
        if onPod {
            pod["spec"]["automountServiceAccountToken"] = false
        } else {
            try await api.succeed(
                "PATCH", "/api/v1/namespaces/default/serviceaccounts/default", ["automountServiceAccountToken": false],
                type: "application/merge-patch+json")
        }
        let created = try await api.succeed("POST", Self.pods, pod)
        #expect(created["spec"]["volumes"].elements.isEmpty)
    }

    @Test("a pod of an account that is not there is refused")
    func missingAccount() async throws {
        let api = try await ServerFixture()
        api.clock.skipWaits()
        var pod = ServerFixture.pod("p")
        pod["spec"]["serviceAccountName"] = "nobody"
        let failure = await api.fail("POST", Self.pods, pod)
        #expect(
            failure?.message == "pods \"p\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not found")
    }

    @Test("tolerations that are there are not added")
    func tolerations() async throws {
        let api = try await ServerFixture()
        var pod = ServerFixture.pod("p")
        pod["spec"]["tolerations"] = [["operator": "Exists"]]
        let created = try await api.succeed("POST", Self.pods, pod)
        #expect(created["spec"]["tolerations"].elements.count == 1)
    }

    @Test(
        "quality of service",
        arguments: [
            ([:], "BestEffort"), (["requests": ["cpu": "1"]], "Burstable"), (["limits": ["cpu": "1"]], "Burstable"),
            (["limits": ["cpu": "1", "memory": "1Gi"]], "Guaranteed"),
            (["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "1", "memory": "1Gi"]], "Guaranteed"),
            (["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "1"]], "Guaranteed"),
            (["limits": ["cpu": "2", "memory": "1Gi"], "requests": ["cpu": "1"]], "Burstable"),
        ] as [(JSONValue, String)])
    func quality(resources: JSONValue, expected: String) {
        #expect(PodQuality.of(["containers": [["resources": resources]]]).rawValue == expected)
    }

    @Test("services get addresses and ports of their own, and give them back")
    func services() async throws {
        let api = try await ServerFixture()
        func service(_ name: String, _ spec: JSONValue) -> JSONValue {
            var spec = spec
            spec["ports"] = [["port": 80]]
            return ["metadata": ["name": .string(name)], "spec": spec]
        }
        let one = try await api.succeed("POST", Self.services, service("one", [:]))
        let two = try await api.succeed("POST", Self.services, service("two", ["type": "NodePort"]))
        #expect(one["spec"]["clusterIP"].string?.hasPrefix("10.96.") == true)
        #expect(one["spec"]["clusterIP"] != two["spec"]["clusterIP"])
        #expect((30_000...32_767).contains(two["spec"]["ports"][0]["nodePort"].int ?? 0))
        #expect(try await api.succeed("POST", Self.services, service("three", ["clusterIP": "None"]))["spec"]["clusterIP"] == "None")
        let taken = await api.fail("POST", Self.services, service("four", ["clusterIP": one["spec"]["clusterIP"]]))
        #expect(taken?.message.contains("provided IP is already allocated") == true)
        #expect(await api.fail("POST", Self.services, service("five", ["clusterIP": "192.168.0.1"]))?.code == 422)
        try await api.succeed("DELETE", "\(Self.services)/one")
        #expect(await api.fail("POST", Self.services, service("four", ["clusterIP": one["spec"]["clusterIP"]])) == nil)
        var changed = two
        changed["spec"]["ports"] = [["name": "a", "port": 80, "protocol": "TCP"], ["name": "b", "port": 81, "protocol": "TCP"]]
        let updated = try await api.succeed("PUT", "\(Self.services)/two", changed)
        #expect(updated["spec"]["clusterIP"] == two["spec"]["clusterIP"])
        #expect(updated["spec"]["ports"][0]["nodePort"] == two["spec"]["ports"][0]["nodePort"])
        #expect((30_000...32_767).contains(updated["spec"]["ports"][1]["nodePort"].int ?? 0))
    }
}
