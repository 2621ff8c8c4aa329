import KubeMachinery
import Primitives

enum ClusterRules {
    static let lease: ResourceRules = {
        var rules = ResourceRules()
        rules.validate = { lease in
            var errors = FieldErrors()
            if let duration = lease.spec["leaseDurationSeconds"].int, duration <= 0 {
                errors.invalid("spec.leaseDurationSeconds", .integer(duration), "must be greater than 0")
            }
            if let count = lease.spec["leaseTransitions"].int, count < 0 {
                errors.invalid("spec.leaseTransitions", .integer(count), "must be greater than or equal to 0")
            }
            return errors
        }
        return rules
    }()

    static let signingRequest: ResourceRules = {
        var rules = ResourceRules()
        rules.validate = { request in
            var errors = FieldErrors()
            for field in ["request", "signerName"] where (request.spec[field].string ?? "").isEmpty { errors.required("spec.\(field)") }
            if request.spec["usages"].elements.isEmpty { errors.required("spec.usages", "usages is required") }
            return errors
        }
        // What was asked for can never change: what was approved must be what is signed.
        rules.prepareForUpdate = { request, old in request.spec = old.spec }
        return rules
    }()
}

enum AccessRules {
    static let group = "rbac.authorization.k8s.io"

    static let role: ResourceRules = {
        var rules = ResourceRules()
        rules.nameRule = .pathSegment
        rules.validate = { role in
            var errors = FieldErrors()
            for (index, rule) in role.json["rules"].elements.enumerated() {
                let place = "rules[\(index)]"
                if rule["verbs"].elements.isEmpty { errors.required("\(place).verbs", "verbs must contain at least one value") }
                guard rule["nonResourceURLs"].elements.isEmpty else {
                    if role.namespace != nil {
                        errors.invalid("\(place).nonResourceURLs", rule["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs")
                    }
                    continue
                }
                if rule["apiGroups"].elements.isEmpty { errors.required("\(place).apiGroups", "resource rules must supply at least one api group") }
                if rule["resources"].elements.isEmpty { errors.required("\(place).resources", "resource rules must supply at least one resource") }
            }
            return errors
        }
        return rules
    }()

    static let binding: ResourceRules = {
        var rules = ResourceRules()
        rules.nameRule = .pathSegment
        rules.applyDefaults = { binding in
            if (binding.json["roleRef"]["apiGroup"].string ?? "").isEmpty { binding.json["roleRef"]["apiGroup"] = .string(group) }
            binding.json.editElements("subjects") { subject in
                let kind = subject["kind"].string
                if kind == "User" || kind == "Group" { subject.setDefault("apiGroup", .string(group)) }
            }
        }
        rules.validate = { binding in
            var errors = FieldErrors()
            let kinds = binding.namespace == nil ? ["ClusterRole"] : ["Role", "ClusterRole"]
            if !kinds.contains(binding.json["roleRef"]["kind"].string ?? "") {
                errors.notSupported("roleRef.kind", binding.json["roleRef"]["kind"], kinds)
            }
            if (binding.json["roleRef"]["name"].string ?? "").isEmpty { errors.required("roleRef.name") }
            for (index, subject) in binding.json["subjects"].elements.enumerated() {
                let place = "subjects[\(index)]"
                if (subject["name"].string ?? "").isEmpty { errors.required("\(place).name") }
                let kind = subject["kind"].string ?? ""
                if !["ServiceAccount", "User", "Group"].contains(kind) {
                    errors.notSupported("\(place).kind", .string(kind), ["ServiceAccount", "User", "Group"])
                }
                if kind == "ServiceAccount", (subject["namespace"].string ?? "").isEmpty { errors.required("\(place).namespace") }
            }
            return errors
        }
        rules.validateUpdate = { new, old in
            var errors = FieldErrors()
            if new.json["roleRef"] != old.json["roleRef"] { errors.invalid("roleRef", new.json["roleRef"], "cannot change roleRef") }
            return errors
        }
        return rules
    }()
}
