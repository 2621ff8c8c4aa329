import KubeMachinery
import Primitives

enum NodeRules {
    static let node: ResourceRules = {
        var rules = ResourceRules()
        // A node registers itself with its status.
        rules.keepsStatusOnCreate = true
        rules.applyDefaults = { node in
            node.status.canonicalizeQuantities("capacity")
            node.status.canonicalizeQuantities("allocatable")
            if node.status["allocatable"].isNull, !node.status["capacity"].isNull { node.status["allocatable"] = node.status["capacity"] }
        }
        rules.validate = { node in
            var errors = FieldErrors()
            var seen: Set<String> = []
            for (index, taint) in node.spec["taints"].elements.enumerated() {
                let place = "spec.taints[\(index)]"
                errors.check(.qualifiedName, "\(place).key", taint["key"].string ?? "")
                if let value = taint["value"].string { errors.check(.labelValue, "\(place).value", value) }
                let effects = ["NoExecute", "NoSchedule", "PreferNoSchedule"]
                let effect = taint["effect"].string ?? ""
                if effect.isEmpty {
                    errors.required("\(place).effect")
                } else if !effects.contains(effect) {
                    errors.notSupported("\(place).effect", .string(effect), effects)
                }
                if !seen.insert("\(taint["key"].string ?? "")/\(effect)").inserted { errors.duplicate(place, taint) }
            }
            return errors
        }
        rules.validateUpdate = { new, old in
            var errors = FieldErrors()
            for field in ["podCIDR", "providerID"] {
                let before = old.spec[field].string ?? ""
                if !before.isEmpty, new.spec[field].string != before {
                    errors.forbidden("spec.\(field)", "node updates may only change labels, taints, or capacity")
                }
            }
            return errors
        }
        return rules
    }()
}
