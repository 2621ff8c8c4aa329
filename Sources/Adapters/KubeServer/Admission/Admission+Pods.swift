import KubeMachinery
import KubeResources
import Primitives

extension Admission {
    /// Service account with its token volume, tolerations, priority, quality of service and the first status of a pod.
    func admit(pod: inout KubeObject) async throws {
        try await addServiceAccount(&pod)
        Self.addTolerations(&pod)
        if pod.spec["priority"].isNull { pod.spec["priority"] = 0 }
        if pod.spec["preemptionPolicy"].isNull { pod.spec["preemptionPolicy"] = "PreemptLowerPriority" }
        if pod.spec["enableServiceLinks"].isNull { pod.spec["enableServiceLinks"] = true }
        pod.json["status"] = ["phase": "Pending", "qosClass": .string(PodQuality.of(pod.spec).rawValue)]
    }

    /// Without tolerations of their own, pods stay five minutes on a node that is not ready or not reachable.
    private static func addTolerations(_ pod: inout KubeObject) {
        var tolerations = pod.spec["tolerations"].elements
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            let isTolerated = tolerations.contains { toleration in
                let keyMatches =
                    toleration["key"].string == key || (toleration["key"].string ?? "").isEmpty && toleration["operator"].string == "Exists"
                let effect = toleration["effect"].string ?? ""
                return keyMatches && (effect.isEmpty || effect == "NoExecute")
            }
            if isTolerated { continue }
            tolerations.append(["key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300])
        }
        pod.spec["tolerations"] = .array(tolerations)
    }
}

// MARK: - Service accounts

extension Admission {
    static let tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    private func addServiceAccount(_ pod: inout KubeObject) async throws {
        let isMirror = pod.metadata["annotations"].member("kubernetes.io/config.mirror") != nil
        if isMirror { return }
        let given = pod.spec["serviceAccountName"].string ?? pod.spec["serviceAccount"].string ?? ""
        let name = given.isEmpty ? "default" : given
        pod.spec["serviceAccountName"] = .string(name)
        pod.spec["serviceAccount"] = .string(name)
        let account = try await serviceAccount(ObjectKey(namespace: pod.namespace, name: name), for: pod)
        if pod.spec["imagePullSecrets"].elements.isEmpty, !account.json["imagePullSecrets"].elements.isEmpty {
            pod.spec["imagePullSecrets"] = account.json["imagePullSecrets"]
        }
        let mounts = pod.spec["automountServiceAccountToken"].bool ?? account.json["automountServiceAccountToken"].bool ?? true
        if mounts { Self.addTokenVolume(&pod) }
    }

    /// The account; a namespace's own controller may need a moment to make it, so a missing one is looked for again.
    private func serviceAccount(_ key: ObjectKey, for pod: KubeObject) async throws -> KubeObject {
        for attempt in 0..<10 {
            if attempt > 0 { try await clock.wait(until: clock.now().uptime + .milliseconds(100)) }
            if let account = try await storage.object(Resources.serviceAccounts.groupResource, key) { return account }
            // Only the default account appears by itself.
            if key.name != "default" { break }
        }
        throw Self.forbidden(
            Resources.pods.groupResource, pod.name,
            "error looking up service account \(key.namespace ?? "")/\(key.name): serviceaccount \"\(key.name)\" not found")
    }

    private static func addTokenVolume(_ pod: inout KubeObject) {
        let volumes = pod.spec["volumes"].elements
        let existing = volumes.first { volume in
            volume["name"].string?.hasPrefix("kube-api-access-") == true
                && volume.at("projected", "sources").elements.contains { $0["serviceAccountToken"].object != nil }
        }
        let name = existing?["name"].string ?? "kube-api-access-\(GeneratedName.suffix(5))"
        var isMounted = false
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            guard case .array(var containers) = pod.spec[list] else { continue }
            for index in containers.indices {
                var mounts = containers[index]["volumeMounts"].elements
                if mounts.contains(where: { $0["mountPath"].string == tokenPath }) { continue }
                mounts.append(["name": .string(name), "readOnly": true, "mountPath": .string(tokenPath)])
                containers[index]["volumeMounts"] = .array(mounts)
                isMounted = true
            }
            pod.spec[list] = .array(containers)
        }
        if isMounted, existing == nil { pod.spec["volumes"] = .array(volumes + [tokenVolume(name)]) }
    }

    private static func tokenVolume(_ name: String) -> JSONValue {
        [
            "name": .string(name),
            "projected": [
                "defaultMode": 420,
                "sources": [
                    ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
                    ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
                    [
                        "downwardAPI": [
                            "items": [["path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"]]]
                        ]
                    ],
                ],
            ],
        ]
    }
}
