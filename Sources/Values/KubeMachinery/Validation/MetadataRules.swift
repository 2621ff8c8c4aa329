package import Primitives

/// What every object's metadata has to obey.
package enum MetadataRules {
    /// The bytes that all annotations of an object may have together.
    package static let annotationLimit = 256 << 10

    /// Checks name, namespace, labels, annotations, finalizers and owner references. `path` is where the metadata stands.
    package static func check(_ metadata: JSONValue, isNamespaced: Bool, name rule: NameRule, path: String = "metadata") -> FieldErrors {
        var errors = FieldErrors()
        if let prefix = metadata["generateName"].string, !prefix.isEmpty {
            let probe = prefix.hasSuffix("-") ? prefix.dropLast() + "a" : prefix + "a"
            errors.check(rule, "\(path).generateName", String(probe))
        }
        let name = metadata["name"].string ?? ""
        if name.isEmpty {
            errors.required("\(path).name", "name or generateName is required")
        } else {
            errors.check(rule, "\(path).name", name)
        }
        let namespace = metadata["namespace"].string ?? ""
        if isNamespaced, namespace.isEmpty {
            errors.required("\(path).namespace")
        } else if isNamespaced {
            errors.check(.dnsLabel, "\(path).namespace", namespace)
        } else if !namespace.isEmpty {
            errors.forbidden("\(path).namespace", "not allowed on this type")
        }
        errors.append(labels(metadata["labels"], path: "\(path).labels"))
        errors.append(annotations(metadata["annotations"], path: "\(path).annotations"))
        for (index, finalizer) in metadata["finalizers"].elements.enumerated() {
            errors.check(.qualifiedName, "\(path).finalizers[\(index)]", finalizer.string ?? "")
        }
        errors.append(owners(metadata["ownerReferences"], path: "\(path).ownerReferences"))
        return errors
    }

    /// Checks that what identifies an object has not changed.
    package static func checkUpdate(_ metadata: JSONValue, from old: JSONValue, path: String = "metadata") -> FieldErrors {
        var errors = FieldErrors()
        for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
        where metadata[field] != old[field] { errors.invalid("\(path).\(field)", metadata[field], "field is immutable") }
        if !old["deletionTimestamp"].isNull {
            let before = Set(old["finalizers"].strings)
            let added = metadata["finalizers"].strings.filter { !before.contains($0) }
            if !added.isEmpty {
                errors.forbidden(
                    "\(path).finalizers",
                    "no new finalizers can be added if the object is being deleted, found new finalizers "
                        + "[]string{\(added.map { "\"\($0)\"" }.joined(separator: ", "))}")
            }
        }
        return errors
    }

    package static func labels(_ labels: JSONValue, path: String) -> FieldErrors {
        var errors = FieldErrors()
        for (key, value) in labels.members {
            errors.check(.qualifiedName, path, key)
            errors.check(.labelValue, path, value.string ?? "")
        }
        return errors
    }

    private static func annotations(_ annotations: JSONValue, path: String) -> FieldErrors {
        var errors = FieldErrors()
        var size = 0
        for (key, value) in annotations.members {
            errors.check(.qualifiedName, path, key.lowercased())
            size += key.utf8.count + (value.string?.utf8.count ?? 0)
        }
        if size > annotationLimit { errors.tooLong(path, limit: annotationLimit) }
        return errors
    }

    private static func owners(_ owners: JSONValue, path: String) -> FieldErrors {
        var errors = FieldErrors()
        var controllers = 0
        for (index, owner) in owners.elements.enumerated() {
            let place = "\(path)[\(index)]"
            for field in ["apiVersion", "kind", "name", "uid"] where (owner[field].string ?? "").isEmpty {
                errors.invalid("\(place).\(field)", "", "\(field == "apiVersion" ? "version" : field) must not be empty")
            }
            if owner["controller"].bool == true { controllers += 1 }
        }
        if controllers > 1 { errors.invalid(path, owners, "Only one reference can have Controller set to true") }
        return errors
    }
}
