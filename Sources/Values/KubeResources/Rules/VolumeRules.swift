import KubeMachinery
import Primitives

enum VolumeRules {
    static let claim: ResourceRules = {
        var rules = ResourceRules()
        rules.applyDefaults = { claim in
            claim.spec.setDefault("volumeMode", "Filesystem")
            claim.spec["resources"].canonicalizeQuantities("requests")
        }
        rules.prepareForCreate = { $0.status = ["phase": "Pending"] }
        rules.validate = { claim in
            var errors = checkAccessModes(claim.spec)
            if claim.spec["resources"]["requests"]["storage"].isNull { errors.required("spec.resources[storage]") }
            return errors
        }
        rules.validateUpdate = { new, old in
            var errors = FieldErrors()
            var comparable = new.spec
            comparable.setMember("resources", old.spec.member("resources"))
            if (old.spec["volumeName"].string ?? "").isEmpty { comparable.setMember("volumeName", old.spec.member("volumeName")) }
            if old.spec["storageClassName"].isNull { comparable.removeMember("storageClassName") }
            if comparable != old.spec {
                errors.forbidden("spec", "spec is immutable after creation except resources.requests for bound claims")
            }
            return errors
        }
        return rules
    }()

    static let volume: ResourceRules = {
        var rules = ResourceRules()
        rules.applyDefaults = { volume in
            volume.spec.setDefault("volumeMode", "Filesystem")
            volume.spec.setDefault("persistentVolumeReclaimPolicy", "Retain")
            volume.spec.canonicalizeQuantities("capacity")
            volume.spec.editMember("hostPath") { $0.setDefault("type", "") }
        }
        rules.prepareForCreate = { $0.status = ["phase": "Pending"] }
        rules.validate = { volume in
            var errors = checkAccessModes(volume.spec)
            if volume.spec["capacity"]["storage"].isNull { errors.required("spec.capacity") }
            if volume.spec["hostPath"].object != nil, (volume.spec["hostPath"]["path"].string ?? "").isEmpty {
                errors.required("spec.hostPath.path")
            }
            return errors
        }
        return rules
    }()

    static let storageClass: ResourceRules = {
        var rules = ResourceRules()
        rules.applyDefaults = { object in
            object.json.setDefault("reclaimPolicy", "Delete")
            object.json.setDefault("volumeBindingMode", "Immediate")
        }
        rules.validate = { object in
            var errors = FieldErrors()
            if (object.json["provisioner"].string ?? "").isEmpty { errors.required("provisioner") }
            return errors
        }
        rules.validateUpdate = { new, old in
            var errors = FieldErrors()
            for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] where new.json[field] != old.json[field] {
                errors.forbidden(field, "updates to \(field) are forbidden.")
            }
            return errors
        }
        return rules
    }()

    private static func checkAccessModes(_ spec: JSONValue) -> FieldErrors {
        var errors = FieldErrors()
        let known = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
        if spec["accessModes"].elements.isEmpty { errors.required("spec.accessModes", "at least 1 access mode is required") }
        for mode in spec["accessModes"].elements where !known.contains(mode.string ?? "") { errors.notSupported("spec.accessModes", mode, known) }
        return errors
    }
}
