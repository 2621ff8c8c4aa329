import ControlPlane
import Testing

/// kubectl as a user types it, against a control plane on a free port.
@Suite("kubectl", .enabled(if: KubectlCommand.path != nil, "this machine has no kubectl in PATH"))
struct KubectlTests {
    /// A step of a session: what is typed, and what has to come of it.
    struct Step: Sendable {
        var command: String
        var input = ""
        var environment: [String: String] = [:]
        var isRefused = false
        /// Texts that stand in the output (of a refusal: in the errors).
        var shows: [String] = []
        var hides: [String] = []

        init(
            _ command: String, input: String = "", environment: [String: String] = [:], isRefused: Bool = false, shows: [String] = [],
            hides: [String] = []
        ) {
            (self.command, self.input, self.environment) = (command, input, environment)
            (self.isRefused, self.shows, self.hides) = (isRefused, shows, hides)
        }
    }

    private func play(_ steps: [Step]) async throws {
        try await ServedCluster.run { access in
            let kubectl = KubectlCommand(kubeconfig: access.kubeconfigPath)
            for step in steps {
                let result = try await kubectl(step.command, input: step.input, environment: step.environment)
                let context = "kubectl \(step.command)\n\(result.output)\(result.errors)"
                #expect((result.status != 0) == step.isRefused, "\(context)")
                let text = step.isRefused ? result.errors : result.output
                for part in step.shows { #expect(text.contains(part), "'\(part)' is missing: \(context)") }
                for part in step.hides { #expect(!text.contains(part), "'\(part)' is there: \(context)") }
            }
        }
    }

    private static let map = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, labels: {tier: web}}
        data: {first: "1", second: "2"}
        """

    private static func pod(_ name: String, _ containers: String) -> String {
        "apiVersion: v1\nkind: Pod\nmetadata: {name: \(name)}\nspec: {containers: \(containers)}"
    }

    private static func deployment(_ image: String, replicas: Int) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: \(replicas)
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              containers:
              - name: main
                image: \(image)
                env: [{name: A, value: "1"}]
              - name: side
                image: side:1
        """
    }

    @Test("discovery, versions, explanations and health")
    func discovery() async throws {
        try await play([
            Step("version", shows: ["Server Version: v1.28.6+kubeedge"]),
            Step("api-resources", shows: ["deployments", "objectsyncs", "customresourcedefinitions", "configmaps"]),
            Step("api-versions", shows: ["apps/v1", "reliablesyncs.kubeedge.io/v1alpha1"]),
            Step("explain pod.spec.containers", shows: ["image", "volumeMounts", "<[]Container>"]),
            Step("explain deployment.spec.strategy --recursive", shows: ["maxSurge", "maxUnavailable"]),
            Step("get --raw '/readyz?verbose'", shows: ["storage ok", "readyz check passed"]),
            Step("get namespaces", shows: ["default", "kube-system", "kubeedge", "Active"]),
            Step("get service kubernetes -o wide", shows: ["10.96.0.1", "443/TCP"]),
            Step("auth whoami", shows: ["kubernetes-admin", "system:masters"]),
            Step("cluster-info", shows: ["is running at"]),
        ])
    }

    @Test("create, get in every form, describe, edit, patch, label, annotate, delete")
    func objects() async throws {
        try await play([
            Step("create -f -", input: Self.map, shows: ["configmap/settings created"]),
            Step("create -f -", input: Self.map, isRefused: true, shows: ["(AlreadyExists)", "configmaps \"settings\" already exists"]),
            Step("get configmap settings", shows: ["NAME", "DATA", "AGE", "settings   2"]),
            Step("get cm -o wide --show-labels -l tier=web", shows: ["tier=web"]),
            Step("get cm -l tier=db -o name", hides: ["settings"]),
            Step("get cm --field-selector metadata.name=settings -o name", shows: ["configmap/settings"], hides: ["kube-root"]),
            Step("get cm settings -o json", shows: ["\"first\": \"1\"", "\"kind\": \"ConfigMap\""]),
            Step("get cm settings -o yaml", shows: ["first: \"1\"", "namespace: default"]),
            Step("get cm settings -o \"jsonpath={.data.second}\"", shows: ["2"]),
            Step("get cm settings -o custom-columns=N:.metadata.name,F:.data.first", shows: ["settings   1"]),
            Step("describe configmap settings", shows: ["Name:         settings", "second:"]),
            Step("edit cm settings", environment: ["KUBE_EDITOR": "sed -i s/first/third/"], shows: ["configmap/settings edited"]),
            Step("get cm settings -o \"jsonpath={.data}\"", shows: ["\"third\":\"1\""], hides: ["first"]),
            Step("patch cm settings -p '{\"data\":{\"a\":\"b\"}}'", shows: ["patched"]),
            Step("patch cm settings --type=merge -p '{\"data\":{\"second\":null}}'", shows: ["patched"]),
            Step("patch cm settings --type=json -p '[{\"op\":\"add\",\"path\":\"/data/c\",\"value\":\"d\"}]'", shows: ["patched"]),
            Step("get cm settings -o \"jsonpath={.data}\"", shows: ["\"a\":\"b\"", "\"c\":\"d\""], hides: ["second"]),
            Step("patch cm settings --type=json -p '[{\"op\":\"test\",\"path\":\"/data/c\",\"value\":\"x\"}]'", isRefused: true),
            Step("label cm settings colour=red", shows: ["labeled"]),
            Step("label cm settings colour=blue", isRefused: true, shows: ["already has a value"]),
            Step("label cm settings colour-", shows: ["unlabeled"]),
            Step("annotate cm settings note=hello", shows: ["annotated"]),
            Step("create cm other --from-literal=x=1 --dry-run=server -o yaml", shows: ["x: \"1\""]),
            Step("get cm other", isRefused: true, shows: ["(NotFound)", "configmaps \"other\" not found"]),
            Step("delete cm settings", shows: ["configmap \"settings\" deleted"]),
            Step("wait --for=delete cm/settings --timeout=10s"),
            Step("delete cm settings --ignore-not-found"),
        ])
    }

    @Test("apply, as client and as server, with differences and validation")
    func apply() async throws {
        try await play([
            Step("apply -f -", input: Self.deployment("one:1", replicas: 1), shows: ["deployment.apps/web created"]),
            Step("apply -f -", input: Self.deployment("one:1", replicas: 1), shows: ["deployment.apps/web unchanged"]),
            Step("apply -f -", input: Self.deployment("two:1", replicas: 2), shows: ["deployment.apps/web configured"]),
            Step("get deploy web -o \"jsonpath={.spec.template.spec.containers[*].image} {.spec.replicas}\"", shows: ["two:1 side:1 2"]),
            Step("set env deploy/web B=2 -c main", shows: ["updated"]),
            Step("get deploy web -o \"jsonpath={.spec.template.spec.containers[0].env[*].name}\"", shows: ["A B"]),
            Step("diff -f -", input: Self.deployment("three:1", replicas: 2), isRefused: true),
            Step("apply --server-side -f -", input: Self.map, shows: ["configmap/settings serverside-applied"]),
            Step(
                "apply -f -", input: Self.pod("p", "[{name: m, imagee: x}]"), isRefused: true,
                shows: ["unknown field \"spec.containers[0].imagee\""]),
            Step(
                "apply -f -", input: Self.pod("P_1", "[]"), isRefused: true,
                shows: ["is invalid", "metadata.name", "spec.containers: Required value"]),
            Step("replace -f -", input: Self.deployment("four:1", replicas: 1), shows: ["replaced"]),
            Step("delete -f -", input: Self.deployment("x", replicas: 1), shows: ["deployment.apps \"web\" deleted"]),
        ])
    }

    @Test("deployments are scaled, rolled out, looked into and undone; pods wait for a node")
    func workloads() async throws {
        try await play([
            Step("create deployment web --image=busybox --replicas=2", shows: ["created"]),
            Step("wait --for=jsonpath='{.status.replicas}'=2 deploy/web --timeout=30s", shows: ["condition met"]),
            Step("get deploy,rs,pods -o wide", shows: ["0/2", "Pending", "deployment.apps/web", "SELECTOR", "NOMINATED NODE"]),
            Step("describe deployment web", shows: ["StrategyType:           RollingUpdate", "busybox"]),
            Step("scale deploy web --replicas=3", shows: ["scaled"]),
            Step("wait --for=jsonpath='{.status.replicas}'=3 deploy/web --timeout=30s", shows: ["condition met"]),
            Step("set image deploy/web busybox=busybox:2", shows: ["image updated"]),
            Step("rollout history deploy/web", shows: ["REVISION"]),
            Step("rollout status deploy/web --timeout=1s", isRefused: true, shows: ["timed out"]),
            Step("rollout undo deploy/web", shows: ["rolled back"]),
            Step("expose deploy web --port=80", shows: ["service/web exposed"]),
            Step("get svc web -o \"jsonpath={.spec.clusterIP}\"", shows: ["10.96."]),
            Step("get pods --field-selector=status.phase=Running -o name", hides: ["pod/"]),
            Step("get events", shows: ["FailedScheduling"]),
            Step("delete deploy web --timeout=30s", shows: ["deleted"]),
            Step("wait --for=delete pod -l app=web --timeout=30s"),
            Step("run single --image=busybox", shows: ["pod/single created"]),
            Step("describe pod single", shows: ["QoS Class:                   BestEffort", "kube-api-access-", "Service Account:  default"]),
            Step("logs single", isRefused: true, shows: ["does not have a host assigned"]),
            Step("delete pod single --now", shows: ["deleted"]),
        ])
    }

    @Test("a watch shows what changes while it runs")
    func watching() async throws {
        try await ServedCluster.run(controllers: false) { access in
            let kubectl = KubectlCommand(kubeconfig: access.kubeconfigPath)
            async let watched = kubectl("get configmaps -w --output-watch-events --request-timeout=4s")
            for name in ["one", "two"] { #expect(try await kubectl("create cm \(name)").status == 0) }
            #expect(try await kubectl("delete cm one").status == 0)
            let lines = try await watched.output
            #expect(lines.contains("ADDED"))
            #expect(lines.contains("two"))
        }
    }

    @Test("namespaces come and go with what is in them")
    func namespaces() async throws {
        try await play([
            Step("create namespace lab", shows: ["namespace/lab created"]),
            Step("create cm inside -n lab", shows: ["created"]),
            Step("delete namespace lab --timeout=30s", shows: ["deleted"]),
            Step("get cm -n lab -o name", hides: ["inside"]),
            Step("delete namespace default", isRefused: true, shows: ["this namespace may not be deleted"]),
        ])
    }

    private static let definition = """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: gadgets.example.com}
        spec:
          group: example.com
          scope: Namespaced
          names: {plural: gadgets, singular: gadget, kind: Gadget, shortNames: [gd]}
          versions:
          - name: v1
            served: true
            storage: true
            subresources: {status: {}, scale: {specReplicasPath: .spec.count, statusReplicasPath: .status.count}}
            additionalPrinterColumns: [{name: Size, type: string, jsonPath: .spec.size}]
            schema:
              openAPIV3Schema:
                type: object
                properties:
                  spec:
                    type: object
                    required: [size]
                    properties:
                      size: {type: string, enum: [small, large]}
                      count: {type: integer, default: 3, minimum: 0}
                  status: {type: object, properties: {count: {type: integer}}}
        """

    private static func gadget(_ spec: String) -> String { "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g}\nspec: \(spec)" }

    @Test("custom resources: columns, defaults, validation, scale, explanation")
    func customResources() async throws {
        try await play([
            Step("create -f -", input: Self.definition, shows: ["gadgets.example.com created"]),
            Step("wait --for=condition=Established crd/gadgets.example.com --timeout=10s", shows: ["condition met"]),
            Step("apply -f -", input: Self.gadget("{size: huge}"), isRefused: true, shows: ["spec.size: Unsupported value"]),
            Step("apply -f -", input: Self.gadget("{size: small, colour: red}"), isRefused: true, shows: ["unknown field \"spec.colour\""]),
            Step("apply -f -", input: Self.gadget("{size: small}"), shows: ["created"]),
            Step("get gd", shows: ["NAME   SIZE", "g      small"]),
            Step("get gadget g -o \"jsonpath={.spec.count} {.metadata.generation}\"", shows: ["3 1"]),
            Step("scale gadget g --replicas=5", shows: ["scaled"]),
            Step("get gadget g -o \"jsonpath={.spec.count}\"", shows: ["5"]),
            Step("explain gadget.spec", shows: ["size", "count"]),
            Step("patch gadget g --type=merge -p '{\"spec\":{\"size\":\"large\"}}'", shows: ["patched"]),
            Step("delete crd gadgets.example.com", shows: ["deleted"]),
            Step("get gadgets", isRefused: true, shows: ["the server could not find the requested resource"]),
        ])
    }

    @Test("rules of access, tokens and certificate requests")
    func access() async throws {
        try await play([
            Step("get pods --as=jane", isRefused: true, shows: ["pods is forbidden: User \"jane\" cannot list resource \"pods\""]),
            Step("create rolebinding jane --clusterrole=view --user=jane", shows: ["created"]),
            Step("get pods --as=jane"),
            Step("auth can-i list pods --as=jane", shows: ["yes"]),
            Step("auth can-i list secrets --as=jane || true", shows: ["no"]),
            Step("auth can-i --list --as=jane", shows: ["configmaps"]),
            Step("create serviceaccount robot", shows: ["created"]),
            Step("create token robot", shows: ["."]),
            Step("create secret generic key --from-literal=a=b", shows: ["created"]),
            Step("describe secret key", shows: ["a:  1 bytes"]),
        ])
    }
}
