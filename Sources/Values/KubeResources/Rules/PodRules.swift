import KubeMachinery
import Primitives

enum PodRules {
    static let pod: ResourceRules = {
        var rules = ResourceRules()
        rules.applyDefaults = { PodDefaults.apply(to: &$0.spec, isPod: true) }
        rules.prepareForCreate = { pod in
            pod.status = ["phase": "Pending", "qosClass": .string(PodQuality(pod: pod).rawValue)]
        }
        rules.validate = { PodValidation.check($0.spec, path: "spec", metadata: $0.metadata) }
        rules.validateUpdate = { new, old in checkUpdate(new.spec, old.spec) }
        return rules
    }()

    private static let mutableFields =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        + "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
        + "previously negative)"

    private static func checkUpdate(_ new: JSONValue, _ old: JSONValue) -> FieldErrors {
        var errors = FieldErrors()
        for list in ["containers", "initContainers"] {
            if new[list].elements.count != old[list].elements.count {
                errors.forbidden("spec.\(list)", "pod updates may not add or remove containers")
                return errors
            }
        }
        let deadline = new["activeDeadlineSeconds"].int
        if let before = old["activeDeadlineSeconds"].int {
            if let deadline, deadline > before {
                errors.invalid("spec.activeDeadlineSeconds", .integer(deadline), "must be less than or equal to previous value")
            } else if deadline == nil {
                errors.invalid("spec.activeDeadlineSeconds", .null, "must not update from a positive integer to nil value")
            }
        }
        let tolerations = new["tolerations"].elements
        for toleration in old["tolerations"].elements where !tolerations.contains(toleration) {
            errors.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
            break
        }
        guard errors.isEmpty else { return errors }
        var comparable = new
        for list in ["containers", "initContainers"] {
            let before = old[list].elements
            guard case .array(var containers) = comparable[list] else { continue }
            for index in containers.indices { containers[index].setMember("image", before[index].member("image")) }
            comparable[list] = .array(containers)
        }
        comparable.setMember("activeDeadlineSeconds", old.member("activeDeadlineSeconds"))
        comparable.setMember("tolerations", old.member("tolerations"))
        if (old["terminationGracePeriodSeconds"].int ?? 0) < 0, new["terminationGracePeriodSeconds"].int == 1 {
            comparable["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
        }
        if comparable != old {
            let changed = Set(comparable.members.keys).union(old.members.keys).filter { comparable[$0] != old[$0] }.sorted()
            errors.forbidden("spec", "\(mutableFields)\nchanged: \(changed.map { "spec.\($0)" }.joined(separator: ", "))\n")
        }
        return errors
    }
}
