import KubeMachinery
import Primitives

/// The rules for a pod specification that users meet.
enum PodValidation {
    /// Checks a pod's specification or that of a template.
    static func check(_ spec: JSONValue, path: String, metadata: JSONValue) -> FieldErrors {
        var errors = FieldErrors()
        let volumes = checkVolumes(spec["volumes"], path: "\(path).volumes", &errors)
        var check = ContainerValidation(volumes: volumes, usesHostNetwork: spec["hostNetwork"].bool == true)
        if spec["containers"].elements.isEmpty { errors.required("\(path).containers") }
        for (index, container) in spec["containers"].elements.enumerated() {
            check.check(container, path: "\(path).containers[\(index)]", role: .main, &errors)
        }
        for (index, container) in spec["initContainers"].elements.enumerated() {
            check.check(container, path: "\(path).initContainers[\(index)]", role: .initial, &errors)
        }
        for (index, container) in spec["ephemeralContainers"].elements.enumerated() {
            check.check(container, path: "\(path).ephemeralContainers[\(index)]", role: .ephemeral, &errors)
        }
        checkWords(spec, path: path, &errors)
        checkNames(spec, path: path, &errors)
        checkTolerations(spec["tolerations"], path: "\(path).tolerations", &errors)
        if let grace = spec["terminationGracePeriodSeconds"].int, grace < 0 {
            errors.invalid("\(path).terminationGracePeriodSeconds", .integer(grace), "must be greater than or equal to 0")
        }
        if let deadline = spec["activeDeadlineSeconds"].int, !(1...Int64(Int32.max)).contains(deadline) {
            errors.invalid("\(path).activeDeadlineSeconds", .integer(deadline), "must be between 1 and 2147483647, inclusive")
        }
        for field in ["runAsUser", "runAsGroup", "fsGroup"] {
            if let id = spec["securityContext"][field].int, !(0...Int64(Int32.max)).contains(id) {
                errors.invalid("\(path).securityContext.\(field)", .integer(id), "must be between 0 and 2147483647, inclusive")
            }
        }
        return errors
    }

    private static func checkWords(_ spec: JSONValue, path: String, _ errors: inout FieldErrors) {
        let words: [(String, [String])] = [
            ("restartPolicy", ["Always", "OnFailure", "Never"]), ("dnsPolicy", ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
            ("preemptionPolicy", ["PreemptLowerPriority", "Never"]),
        ]
        for (field, allowed) in words {
            if let word = spec[field].string, !word.isEmpty {
                if !allowed.contains(word) { errors.notSupported("\(path).\(field)", .string(word), allowed) }
            } else if field != "preemptionPolicy" {
                errors.required("\(path).\(field)")
            }
        }
        if spec["dnsPolicy"].string == "None", spec["dnsConfig"]["nameservers"].elements.isEmpty {
            errors.required("\(path).dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
        }
    }

    private static func checkNames(_ spec: JSONValue, path: String, _ errors: inout FieldErrors) {
        for (field, rule) in [
            ("hostname", NameRule.dnsLabel), ("subdomain", .dnsLabel), ("nodeName", .dnsSubdomain), ("serviceAccountName", .dnsSubdomain),
            ("priorityClassName", .dnsSubdomain), ("runtimeClassName", .dnsSubdomain),
        ] {
            if let name = spec[field].string, !name.isEmpty { errors.check(rule, "\(path).\(field)", name) }
        }
        errors.append(MetadataRules.labels(spec["nodeSelector"], path: "\(path).nodeSelector"))
    }

    private static func checkTolerations(_ tolerations: JSONValue, path: String, _ errors: inout FieldErrors) {
        for (index, toleration) in tolerations.elements.enumerated() {
            let place = "\(path)[\(index)]"
            let key = toleration["key"].string ?? ""
            if !key.isEmpty { errors.check(.qualifiedName, "\(place).key", key) }
            switch toleration["operator"].string ?? "" {
            case "", "Equal":
                if key.isEmpty {
                    errors.invalid(
                        "\(place).operator", toleration["operator"],
                        "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")
                }
            case "Exists":
                if let value = toleration["value"].string, !value.isEmpty {
                    errors.invalid("\(place).operator", toleration, "value must be empty when `operator` is 'Exists'")
                }
            case let other: errors.notSupported("\(place).operator", .string(other), ["Equal", "Exists"])
            }
            if let effect = toleration["effect"].string, !effect.isEmpty, !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect) {
                errors.notSupported("\(place).effect", .string(effect), ["NoSchedule", "PreferNoSchedule", "NoExecute"])
            }
            if !toleration["tolerationSeconds"].isNull, toleration["effect"].string != "NoExecute" {
                errors.invalid("\(place).effect", toleration["effect"], "effect must be 'NoExecute' when `tolerationSeconds` is set")
            }
        }
    }

    /// Checks the volumes and returns their names.
    private static func checkVolumes(_ volumes: JSONValue, path: String, _ errors: inout FieldErrors) -> Set<String> {
        var names: Set<String> = []
        for (index, volume) in volumes.elements.enumerated() {
            let place = "\(path)[\(index)]"
            let name = volume["name"].string ?? ""
            if name.isEmpty {
                errors.required("\(place).name")
            } else {
                errors.check(.dnsLabel, "\(place).name", name)
                if !names.insert(name).inserted { errors.duplicate("\(place).name", .string(name)) }
            }
            let sources = volume.members.filter { $0.key != "name" && !$0.value.isNull }.map(\.key)
            if sources.isEmpty { errors.required(place, "must specify a volume type") }
            for extra in sources.dropFirst() { errors.forbidden("\(place).\(extra)", "may not specify more than 1 volume type") }
            if let source = sources.first { checkSource(volume[source], source, path: "\(place).\(source)", &errors) }
        }
        return names
    }

    private static func checkSource(_ source: JSONValue, _ kind: String, path: String, _ errors: inout FieldErrors) {
        let needed = ["hostPath": "path", "configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName", "csi": "driver"]
        if let field = needed[kind], (source[field].string ?? "").isEmpty { errors.required("\(path).\(field)") }
        if let mode = source["defaultMode"].int, !(0...511).contains(mode) {
            errors.invalid("\(path).defaultMode", .integer(mode), "must be a number between 0 and 0777 (octal), both inclusive")
        }
        for (index, item) in source["items"].elements.enumerated() {
            let place = "\(path).items[\(index)]"
            if kind != "downwardAPI", (item["key"].string ?? "").isEmpty { errors.required("\(place).key") }
            let target = item["path"].string ?? ""
            if target.isEmpty { errors.required("\(place).path") } else { checkLocalPath(target, path: "\(place).path", &errors) }
        }
        if kind == "hostPath" {
            let types = ["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"]
            if let type = source["type"].string, !types.contains(type) { errors.notSupported("\(path).type", .string(type), types) }
            if (source["path"].string ?? "").split(separator: "/").contains("..") {
                errors.invalid("\(path).path", source["path"], "must not contain '..'")
            }
        }
        if kind == "emptyDir", let limit = source["sizeLimit"].quantity, limit.isNegative {
            errors.forbidden("\(path).sizeLimit", "SizeLimit field must be a valid resource quantity")
        }
    }

    static func checkLocalPath(_ text: String, path: String, _ errors: inout FieldErrors) {
        if text.hasPrefix("/") { errors.invalid(path, .string(text), "must be a relative path") }
        if text.split(separator: "/").contains("..") { errors.invalid(path, .string(text), "must not contain '..'") }
        if text.hasPrefix("..") && !text.hasPrefix("../") && text != ".." { errors.invalid(path, .string(text), "must not start with '..'") }
    }
}
