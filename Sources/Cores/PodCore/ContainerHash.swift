package import Primitives

/// The number that tells whether a running container still is what its spec asks for.
///
/// The same value as the Go kubelet's, so that containers of a Go edgecore can be taken over (`spec/05 §8.5`).
package enum ContainerHash {
    /// The annotation that holds the hash, lower-case hex.
    package static let annotation = "io.kubernetes.container.hash"

    /// The hash of a container's spec as it stands in the annotation.
    package static func text(_ container: JSONValue) -> String { String(value(container), radix: 16) }

    static func value(_ container: JSONValue) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        func add(_ text: some Sequence<UInt8>) {
            for byte in text { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        }
        add("([]uint8)[".utf8)
        for (index, byte) in canonical(container).encoded(.goEscapes).enumerated() {
            if index > 0 { add(" ".utf8) }
            add(String(byte).utf8)
        }
        add("]".utf8)
        return hash
    }

    /// The spec with its members in the order in which Go prints them.
    static func canonical(_ container: JSONValue) -> JSONValue {
        var container = container
        if container["resources"].object == nil { container["resources"] = [:] }
        return ordered(container, as: "container")
    }

    private static func ordered(_ value: JSONValue, as name: String) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map { ordered($0, as: name) })
        case .object(let members):
            let order = memberOrder[name] ?? []
            let rank = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
            let sorted = members.filter { member in
                if case .null = member.value { return false }
                if case .array(let elements) = member.value { return !elements.isEmpty }
                return true
            }.sorted { (rank[$0.key] ?? .max, $0.key) < (rank[$1.key] ?? .max, $1.key) }
            return .object(JSONObject(uniqueKeysWithValues: sorted.map { ($0.key, ordered($0.value, as: $0.key)) }))
        default: return value
        }
    }

    private static func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

    private static let probe = words(
        "exec httpGet tcpSocket grpc initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold terminationGracePeriodSeconds"
    )
    private static let handler = words("exec httpGet tcpSocket")
    private static let keyReference = words("name key optional")

    /// Members of Go's structs by the field that holds them; what is not listed here is a map and sorted.
    private static let memberOrder: [String: [String]] = [
        "container": words(
            "name image command args workingDir ports envFrom env resources resizePolicy restartPolicy volumeMounts volumeDevices livenessProbe "
                + "readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin "
                + "stdinOnce tty"),
        "ports": words("name hostPort containerPort protocol hostIP"),
        "envFrom": words("prefix configMapRef secretRef"),
        "configMapRef": words("name optional"), "secretRef": words("name optional"),
        "env": words("name value valueFrom"),
        "valueFrom": words("fieldRef resourceFieldRef configMapKeyRef secretKeyRef"),
        "fieldRef": words("apiVersion fieldPath"), "resourceFieldRef": words("containerName resource divisor"),
        "configMapKeyRef": keyReference, "secretKeyRef": keyReference,
        "resources": words("limits requests claims"), "resizePolicy": words("resourceName restartPolicy"),
        "volumeMounts": words("name readOnly mountPath subPath mountPropagation subPathExpr"), "volumeDevices": words("name devicePath"),
        "livenessProbe": probe, "readinessProbe": probe, "startupProbe": probe,
        "lifecycle": words("postStart preStop"), "postStart": handler, "preStop": handler,
        "httpGet": words("path port host scheme httpHeaders"), "httpHeaders": words("name value"), "tcpSocket": words("port host"),
        "grpc": words("port service"),
        "securityContext": words(
            "capabilities privileged seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem "
                + "allowPrivilegeEscalation procMount seccompProfile"),
        "capabilities": words("add drop"), "seLinuxOptions": words("user role type level"), "seccompProfile": words("type localhostProfile"),
    ]
}
