import KubeMachinery
import Primitives

/// What a pod uses of its namespace: what its node may read, and has to be told about.
struct PodReferences: Hashable {
    var configMaps: Set<String> = []
    var secrets: Set<String> = []
    var claims: Set<String> = []
    var serviceAccount = "default"

    /// Looks through volumes, all containers (init and ephemeral ones too: `spec/01` D-40) and image pull secrets.
    init(pod: KubeObject) {
        let spec = pod.spec
        for volume in spec["volumes"].elements { read(volume: volume, pod: pod.name) }
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for container in spec[list].elements { read(container: container) }
        }
        for secret in spec["imagePullSecrets"].elements { add(secret["name"], to: \.secrets) }
        if let name = spec["serviceAccountName"].string ?? spec["serviceAccount"].string, !name.isEmpty { serviceAccount = name }
    }

    private mutating func read(container: JSONValue) {
        for source in container["envFrom"].elements {
            add(source["configMapRef"]["name"], to: \.configMaps)
            add(source["secretRef"]["name"], to: \.secrets)
        }
        for variable in container["env"].elements {
            add(variable["valueFrom"]["configMapKeyRef"]["name"], to: \.configMaps)
            add(variable["valueFrom"]["secretKeyRef"]["name"], to: \.secrets)
        }
    }

    private mutating func read(volume: JSONValue, pod: String) {
        add(volume["configMap"]["name"], to: \.configMaps)
        add(volume["secret"]["secretName"], to: \.secrets)
        for source in volume["projected"]["sources"].elements {
            add(source["configMap"]["name"], to: \.configMaps)
            add(source["secret"]["name"], to: \.secrets)
        }
        for plugin in ["cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos"] {
            add(volume[plugin]["secretRef"]["name"], to: \.secrets)
        }
        add(volume["csi"]["nodePublishSecretRef"]["name"], to: \.secrets)
        add(volume["azureFile"]["secretName"], to: \.secrets)
        add(volume["persistentVolumeClaim"]["claimName"], to: \.claims)
        if volume["ephemeral"].object != nil, let name = volume["name"].string { claims.insert("\(pod)-\(name)") }
    }

    private mutating func add(_ name: JSONValue, to set: WritableKeyPath<PodReferences, Set<String>>) {
        if let name = name.string, !name.isEmpty { self[keyPath: set].insert(name) }
    }
}
