package import KubeMachinery

/// The form in which a client wants an object or a list.
package enum Representation: Sendable, Hashable {
    case object
    /// `as=Table`
    case table
    /// `as=PartialObjectMetadata` or `as=PartialObjectMetadataList`
    case metadata
    /// `as=APIGroupDiscoveryList` with the version of `apidiscovery.k8s.io` that was asked for.
    case aggregatedDiscovery(version: String)
}

/// Reads `Accept` and `Content-Type`.
package enum ContentNegotiation {
    /// The first acceptable form, in the order the client names them; 406 where there is none.
    ///
    /// Protobuf is answered in JSON: clients of Kubernetes read what `Content-Type` says.
    package static func representation(accept: String) throws(KubeStatus) -> Representation {
        let types = accept.split(separator: ",").map(MediaType.init)
        if types.isEmpty { return .object }
        for type in types {
            switch type.name {
            case "application/json", "*/*", "application/*", "application/vnd.kubernetes.protobuf",
                "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/com.github.proto-openapi.spec.v3@v1.0+protobuf":
                break
            default: continue
            }
            switch type.parameters["as"] {
            case nil: return .object
            case "Table":
                if type.parameters["g"] == "meta.k8s.io", ["v1", "v1beta1"].contains(type.parameters["v"]) { return .table }
            case "PartialObjectMetadata", "PartialObjectMetadataList":
                if type.parameters["g"] == "meta.k8s.io", ["v1", "v1beta1"].contains(type.parameters["v"]) { return .metadata }
            case "APIGroupDiscoveryList":
                if type.parameters["g"] == "apidiscovery.k8s.io", type.parameters["v"] == "v2beta1" {
                    return .aggregatedDiscovery(version: "v2beta1")
                }
            default: continue
            }
        }
        // Text and streams (log, metrics) negotiate nothing.
        if types.contains(where: { $0.name == "text/plain" || $0.name == "text/*" || $0.name == "text/html" }) { return .object }
        throw KubeStatus(
            code: 406, reason: "NotAcceptable",
            message: "only the following media types are accepted: application/json, application/vnd.kubernetes.protobuf")
    }

    /// The media type alone, lower case.
    package static func mediaType(_ header: String) -> String { MediaType(header[...]).name }

    struct MediaType {
        var name: String
        var parameters: [String: String] = [:]

        init(_ text: some StringProtocol) {
            let parts = text.split(separator: ";").map { $0.trimmed }
            name = parts.first?.lowercased() ?? ""
            for part in parts.dropFirst() {
                let halves = part.split(separator: "=", maxSplits: 1)
                if halves.count == 2 { parameters[String(halves[0].trimmed)] = String(halves[1].trimmed) }
            }
        }
    }
}

extension StringProtocol {
    /// Without blanks at both ends.
    var trimmed: String {
        var slice = self[...]
        while slice.first?.isWhitespace == true { slice = slice.dropFirst() }
        while slice.last?.isWhitespace == true { slice = slice.dropLast() }
        return String(slice)
    }
}
