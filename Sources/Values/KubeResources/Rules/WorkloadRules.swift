import KubeMachinery
import Primitives

enum WorkloadRules {
    static let deployment: ResourceRules = {
        var rules = workload()
        rules.applyDefaults = { object in
            object.spec.setDefault("replicas", 1)
            object.spec.setDefault("revisionHistoryLimit", 10)
            object.spec.setDefault("progressDeadlineSeconds", 600)
            object.spec["strategy"].setDefault("type", "RollingUpdate")
            if object.spec["strategy"]["type"].string == "RollingUpdate" {
                object.spec["strategy"]["rollingUpdate"].setDefault("maxUnavailable", "25%")
                object.spec["strategy"]["rollingUpdate"].setDefault("maxSurge", "25%")
            }
            template(&object)
        }
        rules.validate = { object in
            var errors = check(object, kind: "deployment")
            let strategy = object.spec["strategy"]
            switch strategy["type"].string {
            case "Recreate":
                if !strategy["rollingUpdate"].isNull {
                    errors.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
                }
            case "RollingUpdate": checkRollingUpdate(strategy["rollingUpdate"], path: "spec.strategy.rollingUpdate", &errors)
            default: errors.notSupported("spec.strategy.type", strategy["type"], ["Recreate", "RollingUpdate"])
            }
            for field in ["minReadySeconds", "revisionHistoryLimit"] { checkNotNegative(object.spec[field], path: "spec.\(field)", &errors) }
            if let deadline = object.spec["progressDeadlineSeconds"].int, deadline <= object.spec["minReadySeconds"].int ?? 0 {
                errors.invalid("spec.progressDeadlineSeconds", .integer(deadline), "must be greater than minReadySeconds")
            }
            return errors
        }
        return rules
    }()

    static let replicaSet: ResourceRules = {
        var rules = workload()
        rules.applyDefaults = { object in
            object.spec.setDefault("replicas", 1)
            if object.spec["template"].object != nil { template(&object) }
        }
        rules.validate = { check($0, kind: "replicaset") }
        return rules
    }()

    static let daemonSet: ResourceRules = {
        var rules = workload()
        rules.applyDefaults = { object in
            object.spec.setDefault("revisionHistoryLimit", 10)
            object.spec["updateStrategy"].setDefault("type", "RollingUpdate")
            if object.spec["updateStrategy"]["type"].string == "RollingUpdate" {
                object.spec["updateStrategy"]["rollingUpdate"].setDefault("maxUnavailable", 1)
                object.spec["updateStrategy"]["rollingUpdate"].setDefault("maxSurge", 0)
            }
            template(&object)
        }
        rules.validate = { object in
            var errors = check(object, kind: "daemonset")
            if !["OnDelete", "RollingUpdate"].contains(object.spec["updateStrategy"]["type"].string) {
                errors.notSupported("spec.updateStrategy.type", object.spec["updateStrategy"]["type"], ["OnDelete", "RollingUpdate"])
            }
            return errors
        }
        return rules
    }()

    private static func workload() -> ResourceRules {
        var rules = ResourceRules()
        rules.countsGenerations = true
        rules.validateUpdate = { new, old in
            var errors = FieldErrors()
            if new.spec["selector"] != old.spec["selector"] { errors.invalid("spec.selector", new.spec["selector"], "field is immutable") }
            return errors
        }
        return rules
    }

    private static func template(_ object: inout KubeObject) {
        PodDefaults.apply(to: &object.spec["template"]["spec"], isPod: false)
    }

    private static func check(_ object: KubeObject, kind: String) -> FieldErrors {
        var errors = FieldErrors()
        checkNotNegative(object.spec["replicas"], path: "spec.replicas", &errors)
        let selector = object.spec["selector"]
        let labels = object.spec["template"]["metadata"]["labels"]
        if selector.isNull {
            errors.required("spec.selector")
        } else {
            errors.append(MetadataRules.labels(selector["matchLabels"], path: "spec.selector.matchLabels"))
            switch Result(catching: { () throws(KubeStatus) in try LabelSelector(json: selector) }) {
            case .failure(let status): errors.invalid("spec.selector", selector, status.message)
            case .success(let read):
                if read.isEverything {
                    errors.invalid("spec.selector", selector, "empty selector is invalid for \(kind)")
                } else if !read.matches(labels.stringMap) {
                    errors.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
                }
            }
        }
        errors.append(MetadataRules.labels(labels, path: "spec.template.metadata.labels"))
        let spec = object.spec["template"]["spec"]
        errors.append(PodValidation.check(spec, path: "spec.template.spec", metadata: object.spec["template"]["metadata"]))
        if let policy = spec["restartPolicy"].string, policy != "Always" {
            errors.notSupported("spec.template.spec.restartPolicy", .string(policy), ["Always"])
        }
        return errors
    }

    private static func checkNotNegative(_ value: JSONValue, path: String, _ errors: inout FieldErrors) {
        if let number = value.int, number < 0 { errors.invalid(path, .integer(number), "must be greater than or equal to 0") }
    }

    private static func checkRollingUpdate(_ update: JSONValue, path: String, _ errors: inout FieldErrors) {
        for field in ["maxUnavailable", "maxSurge"] {
            let value = update[field]
            if let number = value.int, number < 0 {
                errors.invalid("\(path).\(field)", value, "must be greater than or equal to 0")
            } else if let text = value.string, percentage(text) == nil {
                errors.invalid(
                    "\(path).\(field)", value,
                    "a valid percent string must be a numeric string followed by an ending '%' "
                        + "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')")
            }
        }
        func isZero(_ value: JSONValue) -> Bool { value.int == 0 || value.string.flatMap(percentage) == 0 }
        if isZero(update["maxUnavailable"]), isZero(update["maxSurge"]) {
            errors.invalid("\(path).maxUnavailable", update["maxUnavailable"], "may not be 0 when `maxSurge` is 0")
        }
    }

    private static func percentage(_ text: String) -> Int? {
        guard text.hasSuffix("%"), text.utf8.dropLast().allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text.dropLast())
    }
}
