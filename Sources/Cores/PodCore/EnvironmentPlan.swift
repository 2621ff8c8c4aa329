package import KubeMachinery
import Primitives

/// The environment of a container, resolved (`spec/05 §18`).
package enum EnvironmentPlan {
    /// Variables in the order of their first definition.
    package struct Variables: Sendable {
        package private(set) var list: [(name: String, value: String)] = []
        private var places: [String: Int] = [:]
        /// Keys of configMaps and secrets that are no names of variables and were left out, by their object.
        package internal(set) var skippedKeys: [ObjectReference: [String]] = [:]

        init() {}

        package subscript(name: String) -> String? { places[name].map { list[$0].value } }

        mutating func set(_ name: String, _ value: String) {
            if let place = places[name] {
                list[place].value = value
            } else {
                places[name] = list.count
                list.append((name, value))
            }
        }
    }

    /// Resolves all sources. Throws the reason that the container shows while it waits.
    ///
    /// - Parameter services: Those of the pod's namespace, where the pod wants to know them.
    package static func resolve(
        _ container: ContainerView, in pod: PodView, objects: PodObjects, services: [KubeObject] = [], addresses: [String], node: NodeFacts
    ) throws(StartFailure) -> Variables {
        var variables = Variables()
        let links = ServiceVariables.variables(of: services)
        let linked = Dictionary(links.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        for source in container.json["envFrom"].elements { try add(source, objects, to: &variables) }
        let fields = FieldReference(pod: pod, node: node, addresses: addresses)
        for variable in container.json["env"].elements {
            guard let name = variable["name"].string else { continue }
            let text = variable["value"].string ?? ""
            if !text.isEmpty || variable["valueFrom"].isNull {
                let known = variables
                variables.set(name, VariableExpansion.expand(text) { known[$0] ?? linked[$0] })
            } else if let value = try value(variable["valueFrom"], container, pod, objects, fields) {
                variables.set(name, value)
            }
        }
        for (name, value) in links where variables[name] == nil { variables.set(name, value) }
        for (name, value) in [("KUBERNETES_SERVICE_HOST", node.kubernetesServiceHost), ("KUBERNETES_SERVICE_PORT", node.kubernetesServicePort)] {
            if let value { variables.set(name, value) }
        }
        return variables
    }

    private static func add(_ source: JSONValue, _ objects: PodObjects, to variables: inout Variables) throws(StartFailure) {
        let prefix = source["prefix"].string ?? ""
        for (member, kind) in [("configMapRef", ObjectReference.Kind.configMap), ("secretRef", .secret)] where source[member].object != nil {
            let reference = ObjectReference(kind, source[member]["name"].string ?? "")
            guard let entries = objects.entries(reference) else {
                if source[member]["optional"].bool == true { continue }
                throw .configuration("\(reference) not found")
            }
            for (key, value) in entries.sorted(by: { $0.key < $1.key }) {
                let name = prefix + key
                guard isName(name) else {
                    variables.skippedKeys[reference, default: []].append(key)
                    continue
                }
                variables.set(name, String(decoding: value, as: UTF8.self))
            }
        }
    }

    private static func value(
        _ source: JSONValue, _ container: ContainerView, _ pod: PodView, _ objects: PodObjects, _ fields: FieldReference
    ) throws(StartFailure) -> String? {
        if let path = source["fieldRef"]["fieldPath"].string {
            guard let value = fields.value(path), path != "metadata.labels", path != "metadata.annotations" else {
                throw .configuration("unsupported fieldPath: \(path)")
            }
            return value
        }
        if source["resourceFieldRef"].object != nil {
            guard let value = fields.resource(source["resourceFieldRef"], container: container) else {
                throw .configuration("unsupported container resource: \(source["resourceFieldRef"]["resource"].string ?? "")")
            }
            return value
        }
        for (member, kind, word) in [("configMapKeyRef", ObjectReference.Kind.configMap, "ConfigMap"), ("secretKeyRef", .secret, "Secret")]
        where source[member].object != nil {
            let reference = ObjectReference(kind, source[member]["name"].string ?? "")
            let key = source[member]["key"].string ?? ""
            let isOptional = source[member]["optional"].bool == true
            guard let entries = objects.entries(reference) else {
                if isOptional { return nil }
                throw .configuration("\(reference) not found")
            }
            guard let value = entries[key] else {
                if isOptional { return nil }
                throw .configuration("couldn't find key \(key) in \(word) \(pod.namespace)/\(reference.name)")
            }
            return String(decoding: value, as: UTF8.self)
        }
        return ""
    }

    /// Whether a key may name a variable: letters, digits, `-`, `_`, `.`, no digit first, not `.` or `..`.
    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first), text != ".", !text.hasPrefix("..") else {
            return false
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}
