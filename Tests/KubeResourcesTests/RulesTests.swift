import KubeMachinery
import KubeResources
import Primitives
import Testing

@Suite("Defaults and validation")
struct RulesTests {
    private func definition(_ resource: GroupVersionResource) throws -> ResourceDefinition {
        try #require(ResourceCatalogue.builtIn[resource])
    }

    private func object(_ kind: String, _ json: String) throws -> KubeObject {
        var object = KubeObject(try JSONValue(parsing: json))
        object.apiVersion = "v1"
        object.kind = kind
        if object.name.isEmpty { object.name = "x" }
        return object
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch let status as KubeStatus { return status.message } catch { return "another error: \(error)" }
    }

    private static let goodPod = #"{"metadata":{"namespace":"ns"},"spec":{"containers":[{"name":"c","image":"busybox:1.36"}]}}"#

    @Test("a pod gets its defaults")
    func podDefaults() throws {
        let pods = try definition(Resources.pods)
        var pod = try object(
            "Pod",
            #"{"metadata":{"namespace":"ns"},"spec":{"serviceAccountName":"sa","containers":[{"name":"c","image":"busybox","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1000m","memory":"1024Mi"}},"livenessProbe":{"httpGet":{"port":80}},"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}],"volumes":[{"name":"e"},{"name":"s","secret":{"secretName":"s"}},{"name":"p","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}]},"status":{"phase":"Running"}}"#
        )
        pods.prepareForCreate(&pod)
        #expect(pod.status == ["phase": "Pending", "qosClass": "Guaranteed"])
        #expect(pod.spec["restartPolicy"] == "Always" && pod.spec["dnsPolicy"] == "ClusterFirst")
        #expect(pod.spec["terminationGracePeriodSeconds"] == 30 && pod.spec["schedulerName"] == "default-scheduler")
        #expect(pod.spec["enableServiceLinks"] == true && pod.spec["serviceAccount"] == "sa" && pod.spec["securityContext"] == [:])
        let container = pod.spec["containers"][0]
        #expect(container["imagePullPolicy"] == "Always" && container["terminationMessagePath"] == "/dev/termination-log")
        #expect(container["ports"][0]["protocol"] == "TCP")
        #expect(container["resources"] == ["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "1", "memory": "1Gi"]])
        #expect(container["livenessProbe"]["periodSeconds"] == 10 && container["livenessProbe"]["httpGet"]["scheme"] == "HTTP")
        #expect(container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1")
        #expect(pod.spec["volumes"][0]["emptyDir"] == [:] && pod.spec["volumes"][1]["secret"]["defaultMode"] == 420)
        #expect(pod.spec["volumes"][2]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600)
        #expect(throws: Never.self) { try pods.validate(pod) }
        var again = pod
        pods.prepareForUpdate(&again, from: pod)
        #expect(again == pod)
    }

    @Test(
        "images have pull policies by their tag",
        arguments: [
            ("a", "Always"), ("a:latest", "Always"), ("a:1", "IfNotPresent"), ("r:5000/a", "Always"), ("r:5000/a:1", "IfNotPresent"),
            ("a@sha256:0", "IfNotPresent"),
        ])
    func pullPolicies(image: String, policy: String) throws {
        var pod = try object("Pod", #"{"spec":{"containers":[{"name":"c","image":"\#(image)"}]}}"#)
        try definition(Resources.pods).prepareForCreate(&pod)
        #expect(pod.spec["containers"][0]["imagePullPolicy"] == .string(policy))
    }

    @Test(
        "what is wrong with a pod is named",
        arguments: [
            (#"{"containers":[]}"#, "spec.containers: Required value"),
            (#"{"containers":[{"image":"i"}]}"#, "spec.containers[0].name: Required value"),
            (#"{"containers":[{"name":"c"}]}"#, "spec.containers[0].image: Required value"),
            (
                #"{"containers":[{"name":"c","image":"i"},{"name":"c","image":"i"}]}"#,
                "spec.containers[1].name: Duplicate value: \"c\""
            ),
            (
                #"{"restartPolicy":"Sometimes","containers":[{"name":"c","image":"i"}]}"#,
                "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\""
            ),
            (
                #"{"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"v","mountPath":"/v"}]}]}"#,
                "spec.containers[0].volumeMounts[0].name: Not found: \"v\""
            ),
            (
                #"{"containers":[{"name":"c","image":"i","ports":[{"containerPort":70000}]}]}"#,
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"
            ),
            (
                #"{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}}]}"#,
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"
            ),
            (
                #"{"containers":[{"name":"c","image":"i","livenessProbe":{}}]}"#,
                "spec.containers[0].livenessProbe: Required value: must specify a handler type"
            ),
            (
                #"{"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/x"}}]}"#,
                "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"
            ),
            (
                #"{"containers":[{"name":"c","image":"i"}],"initContainers":[{"name":"n","image":"i","readinessProbe":{"exec":{"command":["x"]}}}]}"#,
                "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"
            ),
        ])
    func invalidPods(spec: String, words: String) throws {
        let pods = try definition(Resources.pods)
        var pod = try object("Pod", #"{"metadata":{"namespace":"ns"},"spec":\#(spec)}"#)
        pods.prepareForCreate(&pod)
        #expect(message { try pods.validate(pod) } == "Pod \"x\" is invalid: \(words)")
    }

    @Test("a pod's specification changes only where it may")
    func podUpdate() throws {
        let pods = try definition(Resources.pods)
        var old = try object("Pod", Self.goodPod)
        pods.prepareForCreate(&old)
        func change(_ edit: (inout KubeObject) -> Void) -> String {
            var new = old
            edit(&new)
            pods.prepareForUpdate(&new, from: old)
            return message { try pods.validateUpdate(new, from: old) }
        }
        #expect(change { $0.spec["containers"][0] = MergePatch.apply(["image": "busybox:2"], to: $0.spec["containers"][0]) } == "")
        #expect(change { $0.spec["activeDeadlineSeconds"] = 5 } == "")
        #expect(change { $0.spec["tolerations"] = [["operator": "Exists"]] } == "")
        #expect(change { $0.metadata["labels"]["a"] = "b" } == "")
        #expect(change { $0.status["phase"] = "Failed" } == "")
        #expect(change { $0.spec["nodeName"] = "n" }.contains("spec: Forbidden: pod updates may not change fields other than"))
        #expect(change { $0.metadata["uid"] = "other" }.contains("metadata.uid: Invalid value"))
    }

    @Test(
        "the quality of service class",
        arguments: [
            (#"[{}]"#, "BestEffort"), (#"[{"resources":{"limits":{"cpu":"1","memory":"1Gi"}}}]"#, "Guaranteed"),
            (#"[{"resources":{"limits":{"cpu":"1","memory":"1Gi"}}},{}]"#, "Burstable"), (#"[{"resources":{"requests":{"cpu":"1"}}}]"#, "Burstable"),
            (#"[{"resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"500m"}}}]"#, "Burstable"),
        ])
    func quality(containers: String, expected: String) throws {
        #expect(PodQuality(pod: try object("Pod", #"{"spec":{"containers":\#(containers)}}"#)).rawValue == expected)
    }

    @Test("a deployment gets defaults, counts generations and keeps its selector")
    func deployment() throws {
        let deployments = try definition(Resources.deployments)
        var old = try object(
            "Deployment",
            #"{"metadata":{"namespace":"ns"},"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#
        )
        deployments.prepareForCreate(&old)
        #expect(old.generation == 1 && old.spec["replicas"] == 1 && old.spec["progressDeadlineSeconds"] == 600)
        #expect(old.spec["strategy"] == ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": "25%", "maxSurge": "25%"]])
        #expect(old.spec["template"]["spec"]["restartPolicy"] == "Always" && old.spec["template"]["spec"]["enableServiceLinks"].isNull)
        #expect(message { try deployments.validate(old) } == "")
        var new = old
        new.spec["replicas"] = 2
        deployments.prepareForUpdate(&new, from: old)
        #expect(new.generation == 2)
        new = old
        new.metadata["labels"]["a"] = "b"
        deployments.prepareForUpdate(&new, from: old)
        #expect(new.generation == 1)
        new.spec["selector"]["matchLabels"]["app"] = "y"
        let words = message { try deployments.validateUpdate(new, from: old) }
        #expect(words.contains("Deployment.apps \"x\" is invalid") && words.contains("field is immutable"))
        #expect(words.contains("`selector` does not match template `labels`"))
    }

    @Test("the status is changed through its subresource alone")
    func status() throws {
        let nodes = try definition(Resources.nodes)
        var old = KubeObject(apiVersion: "v1", kind: "Node", name: "n")
        old.status = ["capacity": ["cpu": "2000m"]]
        nodes.prepareForCreate(&old)
        #expect(old.status["capacity"] == ["cpu": "2"] && old.status["allocatable"] == ["cpu": "2"])
        var new = old
        new.status["phase"] = "x"
        new.spec["unschedulable"] = true
        var asUpdate = new
        nodes.prepareForUpdate(&asUpdate, from: old)
        #expect(asUpdate.status == old.status && asUpdate.spec["unschedulable"] == true)
        var asStatus = new
        nodes.prepareForStatusUpdate(&asStatus, from: old)
        #expect(asStatus.status["phase"] == "x" && asStatus.spec["unschedulable"].isNull)
    }

    @Test("secrets and config maps")
    func configuration() throws {
        let secrets = try definition(Resources.secrets)
        var secret = try object("Secret", #"{"metadata":{"namespace":"ns"},"stringData":{"a":"hi"},"data":{"b":"eA=="}}"#)
        secrets.prepareForCreate(&secret)
        #expect(secret.json["data"] == ["a": "aGk=", "b": "eA=="] && secret.json["type"] == "Opaque" && secret.json["stringData"].isNull)
        secret.json["data"]["b"] = "no base64!"
        #expect(message { try secrets.validate(secret) }.contains("data[b]: Invalid value: \"<secret contents redacted>\""))
        let maps = try definition(Resources.configMaps)
        let old = try object("ConfigMap", #"{"metadata":{"namespace":"ns"},"immutable":true,"data":{"a":"1"}}"#)
        var new = old
        new.json["data"]["a"] = "2"
        #expect(
            message { try maps.validateUpdate(new, from: old) }
                == "ConfigMap \"x\" is invalid: data: Forbidden: field is immutable when `immutable` is set")
        #expect(message { try maps.validate(try object("ConfigMap", #"{"metadata":{"namespace":"ns"},"data":{"a/b":""}}"#)) }.contains("data[a/b]"))
    }

    @Test("a service keeps its address and checks its ports")
    func service() throws {
        let services = try definition(Resources.services)
        var old = try object("Service", #"{"metadata":{"namespace":"ns"},"spec":{"type":"NodePort","ports":[{"port":80}]}}"#)
        services.prepareForCreate(&old)
        #expect(old.spec["ports"][0]["targetPort"] == 80 && old.spec["sessionAffinity"] == "None" && old.status == ["loadBalancer": [:]])
        old.spec["clusterIP"] = "10.96.0.5"
        old.spec["ports"][0] = ["port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30001]
        var new = try object("Service", #"{"metadata":{"namespace":"ns"},"spec":{"type":"NodePort","ports":[{"port":80}]}}"#)
        services.prepareForUpdate(&new, from: old)
        #expect(new.spec["clusterIP"] == "10.96.0.5" && new.spec["ports"][0]["nodePort"] == 30001)
        new.spec["clusterIP"] = "10.96.0.6"
        new.spec["ports"] = [["port": 80, "protocol": "TCP"], ["port": 80, "protocol": "TCP"]]
        let words = message { try services.validateUpdate(new, from: old) }
        for part in ["field is immutable", "spec.ports[0].name: Required value", "spec.ports[1]: Duplicate value"] { #expect(words.contains(part)) }
    }

    @Test("a role reference cannot change, a lease names whole owners")
    func others() throws {
        let bindings = try definition(Resources.clusterRoleBindings)
        var old = try object("ClusterRoleBinding", #"{"roleRef":{"kind":"ClusterRole","name":"a"},"subjects":[{"kind":"User","name":"u"}]}"#)
        bindings.prepareForCreate(&old)
        #expect(old.json["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io")
        #expect(message { try bindings.validate(old) } == "")
        var new = old
        new.json["roleRef"]["name"] = "b"
        #expect(message { try bindings.validateUpdate(new, from: old) }.contains("cannot change roleRef"))
        let lease = try object(
            "Lease", #"{"metadata":{"namespace":"ns","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n","uid":""}]}}"#)
        #expect(
            message { try definition(Resources.leases).validate(lease) }
                == "Lease.coordination.k8s.io \"x\" is invalid: metadata.ownerReferences[0].uid: Invalid value: \"\": uid must not be empty")
    }

    @Test("replicas are read and written through a scale")
    func scale() throws {
        let object = try object(
            "Deployment", #"{"metadata":{"resourceVersion":"4"},"spec":{"replicas":3,"selector":{"matchLabels":{"a":"b"}}},"status":{"replicas":2}}"#)
        var scale = ScaleView.builtIn.scale(of: object)
        #expect(scale.spec == ["replicas": 3] && scale.status == ["replicas": 2, "selector": "a=b"] && scale.resourceVersion == "4")
        scale.spec["replicas"] = 5
        #expect(try ScaleView.builtIn.applied(scale, to: object).spec["replicas"] == 5)
        scale.spec["replicas"] = -1
        #expect(throws: KubeStatus.self) { try ScaleView.builtIn.applied(scale, to: object) }
    }
}
