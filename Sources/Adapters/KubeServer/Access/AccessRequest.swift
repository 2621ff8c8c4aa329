package import Primitives

/// What somebody wants to do, as rules of access see it.
package struct AccessRequest: Sendable, Hashable {
    package var user: UserIdentity
    package var verb: String
    /// nil for a path that is no resource.
    package var resource: Resource?
    package var path: String

    package struct Resource: Sendable, Hashable {
        package var group: String
        package var resource: String
        package var subresource: String?
        package var namespace: String?
        package var name: String?

        package init(group: String, resource: String, subresource: String? = nil, namespace: String? = nil, name: String? = nil) {
            self.group = group
            self.resource = resource
            self.subresource = subresource
            self.namespace = namespace
            self.name = name
        }

        /// `pods` or `pods/log`.
        var rulePath: String { subresource.map { "\(resource)/\($0)" } ?? resource }
    }

    package init(user: UserIdentity, verb: String, resource: Resource? = nil, path: String = "") {
        self.user = user
        self.verb = verb
        self.resource = resource
        self.path = path
    }

    package init(_ request: APIRequest) {
        let target = request.target
        self.init(user: request.user, verb: target.verb, path: request.path)
        guard target.isResource else { return }
        resource = Resource(
            group: target.resource.group, resource: target.resource.resource, subresource: target.subresource, namespace: target.namespace,
            name: target.name)
    }
}

/// Who may do what.
package protocol AccessPolicy: Sendable {
    /// Throws `KubeStatus` where the rules cannot be read.
    func allows(_ request: AccessRequest) async throws -> Bool
    /// The rules (`PolicyRule` objects) that a user has in a namespace, for whoever asks what they may do.
    func rules(for user: UserIdentity, namespace: String) async throws -> [JSONValue]
    /// Objects of the resource have changed: rules that were read from them are old.
    func didWrite(group: String)
}
