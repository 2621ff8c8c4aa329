import KubeMachinery
import Primitives

enum ConfigurationRules {
    /// The bytes that the data of a ConfigMap or Secret may have.
    static let sizeLimit = 1 << 20

    static let configMap: ResourceRules = {
        var rules = ResourceRules()
        rules.validate = { map in
            var errors = FieldErrors()
            var size = 0
            for field in ["data", "binaryData"] {
                for (key, value) in map.json[field].members {
                    errors.check(.configurationKey, "\(field)[\(key)]", key)
                    let bytes = value.string?.utf8.count ?? 0
                    size += field == "data" ? bytes : bytes / 4 * 3
                }
            }
            for key in map.json["binaryData"].members.keys where map.json["data"].member(key) != nil {
                errors.invalid("data[\(key)]", .string(key), "duplicate of key present in binaryData")
            }
            if size > sizeLimit { errors.tooLong("", limit: sizeLimit) }
            return errors
        }
        rules.validateUpdate = { new, old in checkImmutable(new, old, fields: ["data", "binaryData"]) }
        return rules
    }()

    static let secret: ResourceRules = {
        var rules = ResourceRules()
        rules.applyDefaults = { secret in
            if (secret.json["type"].string ?? "").isEmpty { secret.json["type"] = "Opaque" }
            let texts = secret.json["stringData"].stringMap
            for (key, text) in texts.sorted(by: { $0.key < $1.key }) { secret.json["data"][key] = .string(Base64.encode(Array(text.utf8))) }
            secret.json.removeMember("stringData")
        }
        rules.validate = checkSecret
        rules.validateUpdate = { new, old in
            var errors = checkImmutable(new, old, fields: ["data"])
            if new.json["type"] != old.json["type"] { errors.invalid("type", new.json["type"], "field is immutable") }
            return errors
        }
        return rules
    }()

    private static func checkImmutable(_ new: KubeObject, _ old: KubeObject, fields: [String]) -> FieldErrors {
        var errors = FieldErrors()
        guard old.json["immutable"].bool == true else { return errors }
        if new.json["immutable"].bool != true { errors.forbidden("immutable", "field is immutable when `immutable` is set") }
        for field in fields where new.json[field].members != old.json[field].members {
            errors.forbidden(field, "field is immutable when `immutable` is set")
        }
        return errors
    }

    private static func checkSecret(_ secret: KubeObject) -> FieldErrors {
        var errors = FieldErrors()
        var size = 0
        let data = secret.json["data"]
        for (key, value) in data.members {
            errors.check(.configurationKey, "data[\(key)]", key)
            if Base64.decode(value.string ?? "") == nil { errors.invalid("data[\(key)]", "<secret contents redacted>", "must be base64 text") }
            size += (value.string?.utf8.count ?? 0) / 4 * 3
        }
        if size > sizeLimit { errors.tooLong("data", limit: sizeLimit) }
        let type = secret.json["type"].string ?? ""
        let needed: [String: [String]] = [
            "kubernetes.io/dockerconfigjson": [".dockerconfigjson"], "kubernetes.io/dockercfg": [".dockercfg"],
            "kubernetes.io/tls": ["tls.crt", "tls.key"], "kubernetes.io/ssh-auth": ["ssh-privatekey"],
        ]
        for key in needed[type] ?? [] where data.member(key) == nil { errors.required("data[\(key)]") }
        if type == "kubernetes.io/basic-auth", data.member("username") == nil, data.member("password") == nil {
            errors.required("data[username]")
            errors.required("data[password]")
        }
        if type == "kubernetes.io/service-account-token", secret.annotations["kubernetes.io/service-account.name"] == nil {
            errors.required("metadata.annotations[kubernetes.io/service-account.name]")
        }
        return errors
    }
}
