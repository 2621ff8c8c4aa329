import KubeMachinery
import Primitives

/// The rules for the containers of one pod; remembers what has to be unique among them.
struct ContainerValidation {
    enum Role { case main, initial, ephemeral }

    let volumes: Set<String>
    let usesHostNetwork: Bool
    private var names: Set<String> = []
    private var hostPorts: Set<String> = []

    init(volumes: Set<String>, usesHostNetwork: Bool) {
        self.volumes = volumes
        self.usesHostNetwork = usesHostNetwork
    }

    mutating func check(_ container: JSONValue, path: String, role: Role, _ errors: inout FieldErrors) {
        let name = container["name"].string ?? ""
        if name.isEmpty {
            errors.required("\(path).name")
        } else {
            errors.check(.dnsLabel, "\(path).name", name)
            if !names.insert(name).inserted { errors.duplicate("\(path).name", .string(name)) }
        }
        let image = container["image"].string ?? ""
        if image.isEmpty {
            errors.required("\(path).image")
        } else if image.first?.isWhitespace == true || image.last?.isWhitespace == true {
            errors.invalid("\(path).image", .string(image), "must not have leading or trailing whitespace")
        }
        Self.checkWord(container, "imagePullPolicy", ["Always", "IfNotPresent", "Never"], path: path, &errors)
        Self.checkWord(container, "terminationMessagePolicy", ["FallbackToLogsOnError", "File"], path: path, &errors)
        checkPorts(container["ports"], path: "\(path).ports", &errors)
        Self.checkEnvironment(container, path: path, &errors)
        checkMounts(container, path: path, &errors)
        Self.checkResources(container["resources"], path: "\(path).resources", &errors)
        checkProbes(container, path: path, role: role, &errors)
        let context = container["securityContext"]
        if context["privileged"].bool == true, context["allowPrivilegeEscalation"].bool == false {
            errors.invalid("\(path).securityContext", context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        }
    }

    private static func checkWord(_ value: JSONValue, _ field: String, _ allowed: [String], path: String, _ errors: inout FieldErrors) {
        guard let word = value[field].string, !word.isEmpty else { return errors.required("\(path).\(field)") }
        if !allowed.contains(word) { errors.notSupported("\(path).\(field)", .string(word), allowed) }
    }

    private mutating func checkPorts(_ ports: JSONValue, path: String, _ errors: inout FieldErrors) {
        var portNames: Set<String> = []
        for (index, port) in ports.elements.enumerated() {
            let place = "\(path)[\(index)]"
            if let name = port["name"].string, !name.isEmpty {
                errors.check(.portName, "\(place).name", name)
                if !portNames.insert(name).inserted { errors.duplicate("\(place).name", .string(name)) }
            }
            let number = port["containerPort"].int ?? 0
            if number == 0 {
                errors.required("\(place).containerPort")
            } else if !(1...65535).contains(number) {
                errors.invalid("\(place).containerPort", .integer(number), "must be between 1 and 65535, inclusive")
            }
            Self.checkWord(port, "protocol", ["SCTP", "TCP", "UDP"], path: place, &errors)
            guard let hostPort = port["hostPort"].int, hostPort != 0 else { continue }
            if !(1...65535).contains(hostPort) {
                errors.invalid("\(place).hostPort", .integer(hostPort), "must be between 1 and 65535, inclusive")
            }
            if usesHostNetwork, hostPort != number {
                errors.invalid("\(place).containerPort", .integer(number), "must match `hostPort` when `hostNetwork` is true")
            }
            let taken = "\(hostPort)/\(port["hostIP"].string ?? "")/\(port["protocol"].string ?? "")"
            if !hostPorts.insert(taken).inserted { errors.duplicate("\(place).hostPort", .integer(hostPort)) }
        }
    }

    private static func checkEnvironment(_ container: JSONValue, path: String, _ errors: inout FieldErrors) {
        for (index, variable) in container["env"].elements.enumerated() {
            let place = "\(path).env[\(index)]"
            let name = variable["name"].string ?? ""
            if name.isEmpty { errors.required("\(place).name") } else { errors.check(.environmentVariable, "\(place).name", name) }
            guard let source = variable["valueFrom"].object else { continue }
            if !(variable["value"].string ?? "").isEmpty {
                errors.invalid("\(place).valueFrom", "", "may not be specified when `value` is not empty")
            }
            if source.isEmpty {
                errors.invalid(
                    "\(place).valueFrom", "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")
            }
            if source.count > 1 { errors.invalid("\(place).valueFrom", "", "may not have more than one field specified at a time") }
            for (kind, reference) in source where kind == "configMapKeyRef" || kind == "secretKeyRef" {
                for field in ["name", "key"] where (reference[field].string ?? "").isEmpty {
                    errors.required("\(place).valueFrom.\(kind).\(field)")
                }
            }
            if let field = source["fieldRef"], (field["fieldPath"].string ?? "").isEmpty {
                errors.required("\(place).valueFrom.fieldRef.fieldPath")
            }
        }
        for (index, source) in container["envFrom"].elements.enumerated() {
            for kind in ["configMapRef", "secretRef"] where source[kind].object != nil && (source[kind]["name"].string ?? "").isEmpty {
                errors.required("\(path).envFrom[\(index)].\(kind).name")
            }
        }
    }

    private func checkMounts(_ container: JSONValue, path: String, _ errors: inout FieldErrors) {
        var places: Set<String> = []
        for (index, mount) in container["volumeMounts"].elements.enumerated() {
            let place = "\(path).volumeMounts[\(index)]"
            let name = mount["name"].string ?? ""
            if name.isEmpty {
                errors.required("\(place).name")
            } else if !volumes.contains(name) {
                errors.notFound("\(place).name", .string(name))
            }
            let target = mount["mountPath"].string ?? ""
            if target.isEmpty {
                errors.required("\(place).mountPath")
            } else if !places.insert(target).inserted {
                errors.invalid("\(place).mountPath", .string(target), "must be unique")
            }
            for field in ["subPath", "subPathExpr"] {
                if let inner = mount[field].string, !inner.isEmpty { PodValidation.checkLocalPath(inner, path: "\(place).\(field)", &errors) }
            }
        }
    }

    private static func checkResources(_ resources: JSONValue, path: String, _ errors: inout FieldErrors) {
        for part in ["limits", "requests"] {
            for (name, amount) in resources[part].members {
                errors.check(.qualifiedName, "\(path).\(part)", name)
                if let quantity = amount.quantity, quantity.isNegative {
                    errors.invalid("\(path).\(part)[\(name)]", amount, "must be greater than or equal to 0")
                }
            }
        }
        for (name, request) in resources["requests"].members {
            guard let wanted = request.quantity, let limit = resources["limits"][name].quantity, wanted > limit else { continue }
            errors.invalid("\(path).requests", .string(wanted.canonical), "must be less than or equal to \(name) limit of \(limit.canonical)")
        }
    }

    private func checkProbes(_ container: JSONValue, path: String, role: Role, _ errors: inout FieldErrors) {
        let isSidecar = role == .initial && container["restartPolicy"].string == "Always"
        for field in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] where container[field].object != nil {
            let place = "\(path).\(field)"
            if role == .initial, !isSidecar {
                errors.forbidden(place, "may not be set for init containers without restartPolicy=Always")
            } else if role == .ephemeral {
                errors.forbidden(place, "cannot be set for an Ephemeral Container")
            } else if field == "lifecycle" {
                for hook in ["postStart", "preStop"] where container[field][hook].object != nil {
                    Self.checkHandler(container[field][hook], path: "\(place).\(hook)", &errors)
                }
            } else {
                Self.checkProbe(container[field], path: place, &errors)
                if field != "readinessProbe", let threshold = container[field]["successThreshold"].int, threshold != 1 {
                    errors.invalid("\(place).successThreshold", .integer(threshold), "must be 1")
                }
            }
        }
    }

    private static func checkProbe(_ probe: JSONValue, path: String, _ errors: inout FieldErrors) {
        checkHandler(probe, path: path, &errors)
        for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
            if let number = probe[field].int, number < 0 {
                errors.invalid("\(path).\(field)", .integer(number), "must be greater than or equal to 0")
            }
        }
    }

    private static func checkHandler(_ handler: JSONValue, path: String, _ errors: inout FieldErrors) {
        let kinds = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"].filter { handler[$0].object != nil }
        guard let kind = kinds.first else { return errors.required(path, "must specify a handler type") }
        for extra in kinds.dropFirst() { errors.forbidden("\(path).\(extra)", "may not specify more than 1 handler type") }
        if kind == "exec" {
            if handler[kind]["command"].elements.isEmpty { errors.required("\(path).exec.command") }
            return
        }
        if kind == "sleep" { return }
        let port = handler[kind]["port"]
        if let number = port.int, !(1...65535).contains(number) {
            errors.invalid("\(path).\(kind).port", port, "must be between 1 and 65535, inclusive")
        } else if let name = port.string {
            errors.check(.portName, "\(path).\(kind).port", name)
        } else if port.isNull {
            errors.required("\(path).\(kind).port")
        }
    }
}
