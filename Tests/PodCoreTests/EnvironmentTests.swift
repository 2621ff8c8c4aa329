import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("environment, files and names of a pod")
struct EnvironmentTests {
    static let objects: PodObjects = {
        var objects = PodObjects()
        objects[ObjectReference(.configMap, "cm")] = KubeObject([
            "data": ["color": "blue", "1bad": "x", "log.level": "info"], "binaryData": ["raw": "AAEC"],
        ])
        objects[ObjectReference(.secret, "sec")] = KubeObject(["data": ["password": "czNjcmV0"]])
        return objects
    }()

    static func resolve(_ json: String, spec: JSONValue = [:], metadata: JSONValue = [:], node: NodeFacts = Fixture.node) throws
        -> EnvironmentPlan.Variables
    {
        var main = Fixture.container("main")
        for (key, value) in try Fixture.json(json).members { main[key] = value }
        let pod = Fixture.view(Fixture.pod(containers: [main], spec: spec, metadata: metadata))
        return try EnvironmentPlan.resolve(pod.containers[0], in: pod, objects: objects, addresses: ["10.88.0.5", "fd00::5"], node: node)
    }

    @Test(
        "a variable from every source",
        arguments: [
            (#"{"env":[{"name":"A","value":"1"},{"name":"B","value":"$(A)-$$(A)-$(C)-$x-$("}]}"#, "A=1 B=1-$(A)-$(C)-$x-$("),
            (#"{"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"color"}}}]}"#, "A=blue"),
            (#"{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"sec","key":"password"}}}]}"#, "A=s3cret"),
            (#"{"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"no","key":"k","optional":true}}}]}"#, ""),
            (#"{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"sec","key":"k","optional":true}}}]}"#, ""),
            (#"{"envFrom":[{"configMapRef":{"name":"cm"},"prefix":"X_"}]}"#, "X_1bad=x X_color=blue X_log.level=info X_raw=\0\u{1}\u{2}"),
            (#"{"envFrom":[{"secretRef":{"name":"no","optional":true}},{"secretRef":{"name":"sec"}}]}"#, "password=s3cret"),
            (#"{"envFrom":[{"secretRef":{"name":"sec"}}],"env":[{"name":"password","value":"mine"}]}"#, "password=mine"),
            (#"{"env":[{"name":"A","value":""}]}"#, "A="),
        ])
    func sources(json: String, expected: String) throws {
        #expect(try Self.resolve(json).list.map { "\($0.name)=\($0.value)" }.joined(separator: " ") == expected)
    }

    @Test("services are told as Kubernetes tells them; what a pod sets itself stays, and may refer to them")
    func services() throws {
        func service(_ name: String, _ address: String, _ ports: JSONValue) -> KubeObject {
            KubeObject(["metadata": ["name": .string(name)], "spec": ["clusterIP": .string(address), "ports": ports]])
        }
        let services = [
            service("shop-db", "10.96.0.7", [["name": "my-sql", "port": 3306], ["port": 53, "protocol": "UDP"]]),
            service("headless", "None", [["port": 80]]), service("external", "", [["port": 80]]), service("six", "fd00::7", [["port": 80]]),
            KubeObject(["metadata": ["name": "kubernetes", "namespace": "default"], "spec": ["clusterIP": "10.96.0.1", "ports": [["port": 443]]]]),
        ]
        var main = Fixture.container("main")
        main["env"] = [["name": "SIX_SERVICE_PORT", "value": "mine"], ["name": "URL", "value": "$(SHOP_DB_PORT)/x"]]
        let pod = Fixture.view(Fixture.pod(containers: [main]))
        let variables = try EnvironmentPlan.resolve(
            pod.containers[0], in: pod, objects: PodObjects(), services: services, addresses: [], node: Fixture.node)
        #expect(
            variables.list.map { "\($0.name)=\($0.value)" } == [
                "SIX_SERVICE_PORT=mine", "URL=tcp://10.96.0.7:3306/x", "SHOP_DB_SERVICE_HOST=10.96.0.7", "SHOP_DB_SERVICE_PORT=3306",
                "SHOP_DB_SERVICE_PORT_MY_SQL=3306", "SHOP_DB_PORT=tcp://10.96.0.7:3306", "SHOP_DB_PORT_3306_TCP=tcp://10.96.0.7:3306",
                "SHOP_DB_PORT_3306_TCP_PROTO=tcp", "SHOP_DB_PORT_3306_TCP_PORT=3306", "SHOP_DB_PORT_3306_TCP_ADDR=10.96.0.7",
                "SHOP_DB_PORT_53_UDP=udp://10.96.0.7:53", "SHOP_DB_PORT_53_UDP_PROTO=udp", "SHOP_DB_PORT_53_UDP_PORT=53",
                "SHOP_DB_PORT_53_UDP_ADDR=10.96.0.7", "SIX_SERVICE_HOST=fd00::7", "SIX_PORT=tcp://[fd00::7]:80",
                "SIX_PORT_80_TCP=tcp://[fd00::7]:80", "SIX_PORT_80_TCP_PROTO=tcp", "SIX_PORT_80_TCP_PORT=80", "SIX_PORT_80_TCP_ADDR=fd00::7",
            ])
    }

    @Test("keys that name no variable are skipped and told")
    func skipped() throws {
        let variables = try Self.resolve(#"{"envFrom":[{"configMapRef":{"name":"cm"}}]}"#)
        #expect(variables["1bad"] == nil && variables["color"] == "blue")
        #expect(variables.skippedKeys == [ObjectReference(.configMap, "cm"): ["1bad"]])
    }

    @Test(
        "what is missing keeps the container waiting with the kubelet's words",
        arguments: [
            (#"{"envFrom":[{"configMapRef":{"name":"no"}}]}"#, "configmap \"no\" not found"),
            (#"{"envFrom":[{"secretRef":{"name":"no"}}]}"#, "secret \"no\" not found"),
            (#"{"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"no","key":"k"}}}]}"#, "configmap \"no\" not found"),
            (#"{"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"k"}}}]}"#, "couldn't find key k in ConfigMap shop/cm"),
            (#"{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"sec","key":"k"}}}]}"#, "couldn't find key k in Secret shop/sec"),
            (#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"spec.tolerations"}}}]}"#, "unsupported fieldPath: spec.tolerations"),
        ])
    func missing(json: String, message: String) {
        #expect(throws: StartFailure.configuration(message)) { try Self.resolve(json) }
    }

    @Test(
        "fields of the pod",
        arguments: [
            ("metadata.name", "web"), ("metadata.namespace", "shop"), ("metadata.uid", "7b1f-4c"), ("metadata.labels['app']", "w\"x"),
            ("metadata.annotations['none']", ""), ("spec.nodeName", "edge-1"), ("spec.serviceAccountName", "sa"), ("status.hostIP", "10.77.0.1"),
            ("status.podIP", "10.88.0.5"), ("status.podIPs", "10.88.0.5,fd00::5"), ("metadata.labels", "app=\"w\\\"x\"\ntier=\"a\\nb\""),
        ])
    func fields(path: String, expected: String) {
        let pod = Fixture.view(Fixture.pod(spec: ["serviceAccountName": "sa"], metadata: ["labels": ["tier": "a\nb", "app": "w\"x"]]))
        #expect(FieldReference(pod: pod, node: Fixture.node, addresses: ["10.88.0.5", "fd00::5"]).value(path) == expected)
    }

    @Test(
        "resources of the container, rounded up to the divisor; the node's where there is no limit",
        arguments: [
            (#"{"resource":"limits.cpu"}"#, "2"), (#"{"resource":"limits.cpu","divisor":"1m"}"#, "1500"), (#"{"resource":"requests.cpu"}"#, "1"),
            (#"{"resource":"limits.memory","divisor":"1Mi"}"#, "64"), (#"{"resource":"limits.ephemeral-storage","divisor":"1Gi"}"#, "100"),
            (#"{"resource":"limits.cpu","containerName":"other"}"#, "2"), (#"{"resource":"requests.memory"}"#, "0"),
        ])
    func resourceFields(json: String, expected: String) throws {
        let main = Fixture.container("main", ["resources": ["limits": ["cpu": "1500m", "memory": "64Mi"], "requests": ["cpu": "100m"]]])
        let pod = Fixture.view(Fixture.pod(containers: [main, Fixture.container("other")]))
        let reference = FieldReference(pod: pod, node: Fixture.node, addresses: [])
        #expect(reference.resource(try Fixture.json(json), container: pod.containers[0]) == expected)
    }

    @Test("every container knows where the API is")
    func service() throws {
        var node = Fixture.node
        node.kubernetesServiceHost = "169.254.30.10"
        node.kubernetesServicePort = "10550"
        let variables = try Self.resolve(#"{"env":[{"name":"A","value":"1"}]}"#, node: node)
        #expect(variables.list.map { "\($0.name)=\($0.value)" } == ["A=1", "KUBERNETES_SERVICE_HOST=169.254.30.10", "KUBERNETES_SERVICE_PORT=10550"])
    }

    // MARK: - Names

    @Test(
        "resolver settings by policy",
        arguments: [
            (#"{}"#, ["169.254.96.16"], ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan", "example.com"], ["ndots:5"]),
            (#"{"dnsPolicy":"Default"}"#, ["192.168.1.1"], ["lan", "example.com"], ["edns0"]),
            (#"{"hostNetwork":true}"#, ["192.168.1.1"], ["lan", "example.com"], ["edns0"]),
            (
                #"{"hostNetwork":true,"dnsPolicy":"ClusterFirstWithHostNet"}"#, ["169.254.96.16"],
                ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan", "example.com"], ["ndots:5"]
            ),
            (
                #"{"dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1","1.1.1.1","2.2.2.2","3.3.3.3","4.4.4.4"],"searches":["a"],"options":[{"name":"ndots","value":"2"},{"name":"debug"}]}}"#,
                ["1.1.1.1", "2.2.2.2", "3.3.3.3"], ["a"], ["ndots:2", "debug"]
            ),
            (
                #"{"dnsConfig":{"options":[{"name":"ndots","value":"1"}]}}"#, ["169.254.96.16"],
                ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan", "example.com"], ["ndots:1"]
            ),
        ])
    func resolver(spec: String, servers: [String], searches: [String], options: [String]) throws {
        var node = Fixture.node
        node.clusterDNS = ["169.254.96.16"]
        let plan = ResolverPlan(Fixture.view(Fixture.pod(spec: try Fixture.json(spec))), node: node)
        #expect(plan.servers == servers && plan.searches == searches && plan.options == options)
    }

    @Test("without a cluster DNS the host's resolver serves, and that is told")
    func noClusterDNS() {
        let plan = ResolverPlan(Fixture.view(Fixture.pod()), node: Fixture.node)
        #expect(plan.servers == ["192.168.1.1"] && plan.lacksClusterDNS)
    }

    @Test("the hosts file of a pod and of one on the host's network")
    func hosts() {
        let spec: JSONValue = ["hostname": "box", "subdomain": "sub", "hostAliases": [["ip": "1.2.3.4", "hostnames": ["a", "b"]]]]
        let text = HostsFile.text(Fixture.view(Fixture.pod(spec: spec)), addresses: ["10.88.0.5"], node: Fixture.node)
        #expect(text.hasPrefix("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"))
        #expect(text.hasSuffix("10.88.0.5\tbox.sub.shop.svc.cluster.local\tbox\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n"))
        let host = HostsFile.text(Fixture.view(Fixture.pod(spec: ["hostNetwork": true])), addresses: [], node: Fixture.node)
        #expect(host == "# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n")
    }

    @Test(
        "host names",
        arguments: [
            (#"{}"#, "web"), (#"{"hostname":"h"}"#, "h"), (#"{"hostname":"h","subdomain":"s"}"#, "h"),
            (#"{"hostname":"h","subdomain":"s","setHostnameAsFQDN":true}"#, "h.s.shop.svc.cluster.local"), (#"{"setHostnameAsFQDN":true}"#, "web"),
        ])
    func hostname(spec: String, expected: String) throws {
        #expect(try HostnamePlan.hostname(Fixture.view(Fixture.pod(spec: try Fixture.json(spec))), node: Fixture.node) == expected)
    }

    @Test("a long pod name is cut to a host name")
    func longHostname() throws {
        let name = String(repeating: "a", count: 62) + "-b"
        #expect(
            try HostnamePlan.hostname(Fixture.view(Fixture.pod(metadata: ["name": .string(name)])), node: Fixture.node)
                == String(repeating: "a", count: 62))
    }
}
