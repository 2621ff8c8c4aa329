import KubeMachinery
import Primitives

enum ServiceRules {
    static let service: ResourceRules = {
        var rules = ResourceRules()
        rules.nameRule = .dnsLabel1035
        rules.applyDefaults = applyDefaults
        rules.prepareForCreate = { $0.status = ["loadBalancer": [:]] }
        rules.prepareForUpdate = keepAllocations
        rules.validate = { check($0.spec) }
        rules.validateUpdate = { new, old in
            var errors = FieldErrors()
            let before = old.spec["clusterIP"].string ?? ""
            if !before.isEmpty, new.spec["type"].string != "ExternalName", old.spec["type"].string != "ExternalName",
                new.spec["clusterIP"].string != before
            {
                errors.invalid("spec.clusterIPs[0]", new.spec["clusterIPs"], "field is immutable")
            }
            return errors
        }
        return rules
    }()

    private static func applyDefaults(_ service: inout KubeObject) {
        service.spec.setDefault("sessionAffinity", "None")
        service.spec.setDefault("type", "ClusterIP")
        let type = service.spec["type"].string ?? ""
        service.spec.editElements("ports") { port in
            port.setDefault("protocol", "TCP")
            if port["targetPort"].isNull || port["targetPort"].int == 0 || port["targetPort"].string == "" { port["targetPort"] = port["port"] }
        }
        if service.spec["sessionAffinity"].string == "ClientIP" {
            service.spec["sessionAffinityConfig"]["clientIP"].setDefault("timeoutSeconds", 10800)
        }
        guard type != "ExternalName" else { return }
        service.spec.setDefault("internalTrafficPolicy", "Cluster")
        service.spec.setDefault("ipFamilies", ["IPv4"])
        service.spec.setDefault("ipFamilyPolicy", "SingleStack")
        if type == "NodePort" || type == "LoadBalancer" { service.spec.setDefault("externalTrafficPolicy", "Cluster") }
        if type == "LoadBalancer" { service.spec.setDefault("allocateLoadBalancerNodePorts", true) }
    }

    /// Addresses and node ports that an update does not name stay.
    private static func keepAllocations(_ service: inout KubeObject, _ old: KubeObject) {
        guard service.spec["type"].string != "ExternalName" else { return }
        for field in ["clusterIP", "clusterIPs"] where !old.spec[field].isNull { service.spec.setDefault(field, old.spec[field]) }
        guard service.spec["type"].string != "ClusterIP" else { return }
        let before = old.spec["ports"].elements
        service.spec.editElements("ports") { port in
            guard (port["nodePort"].int ?? 0) == 0 else { return }
            let same = before.first { $0["port"] == port["port"] && $0["protocol"] == port["protocol"] }
            if let kept = same?["nodePort"].int, kept > 0 { port["nodePort"] = .integer(kept) }
        }
    }

    private static func check(_ spec: JSONValue) -> FieldErrors {
        var errors = FieldErrors()
        let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
        let type = spec["type"].string ?? ""
        if !types.contains(type) { errors.notSupported("spec.type", .string(type), types) }
        if type == "ExternalName" {
            let name = spec["externalName"].string ?? ""
            if name.isEmpty { errors.required("spec.externalName") } else { errors.check(.dnsSubdomain, "spec.externalName", name) }
        }
        let ports = spec["ports"].elements
        if ports.isEmpty, type != "ExternalName", spec["clusterIP"].string != "None" { errors.required("spec.ports") }
        if !["None", "ClientIP"].contains(spec["sessionAffinity"].string) {
            errors.notSupported("spec.sessionAffinity", spec["sessionAffinity"], ["ClientIP", "None"])
        }
        var names: Set<String> = []
        var numbers: Set<String> = []
        for (index, port) in ports.enumerated() {
            let place = "spec.ports[\(index)]"
            let name = port["name"].string ?? ""
            if name.isEmpty {
                if ports.count > 1 { errors.required("\(place).name") }
            } else {
                errors.check(.dnsLabel, "\(place).name", name)
                if !names.insert(name).inserted { errors.duplicate("\(place).name", .string(name)) }
            }
            let number = port["port"].int ?? 0
            if !(1...65535).contains(number) { errors.invalid("\(place).port", .integer(number), "must be between 1 and 65535, inclusive") }
            if !["SCTP", "TCP", "UDP"].contains(port["protocol"].string) {
                errors.notSupported("\(place).protocol", port["protocol"], ["SCTP", "TCP", "UDP"])
            }
            if !numbers.insert("\(number)/\(port["protocol"].string ?? "")").inserted {
                errors.duplicate(place, ["port": .integer(number), "protocol": port["protocol"]])
            }
            if let target = port["targetPort"].string { errors.check(.portName, "\(place).targetPort", target) }
            if type == "ClusterIP", let node = port["nodePort"].int, node != 0 {
                errors.forbidden("\(place).nodePort", "may not be used when `type` is 'ClusterIP'")
            }
        }
        errors.append(MetadataRules.labels(spec["selector"], path: "spec.selector"))
        return errors
    }
}
