import KubeMachinery
import Primitives

enum NamespaceRules {
    static let namespace: ResourceRules = {
        var rules = ResourceRules()
        rules.nameRule = .dnsLabel
        rules.applyDefaults = { namespace in
            if !namespace.name.isEmpty { namespace.metadata["labels"]["kubernetes.io/metadata.name"] = .string(namespace.name) }
        }
        rules.prepareForCreate = { namespace in
            namespace.status = ["phase": "Active"]
            namespace.spec["finalizers"] = ["kubernetes"]
        }
        rules.prepareForUpdate = { namespace, old in namespace.spec.setMember("finalizers", old.spec.member("finalizers")) }
        return rules
    }()
}
