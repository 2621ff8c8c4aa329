package import Primitives

/// A request to the Kubernetes API as the server's core sees it: parsed, authenticated, without a socket.
package struct APIRequest: Sendable {
    /// The HTTP method, upper case.
    package var method: String
    package var path: String
    package var query: QueryParameters
    package var user: UserIdentity
    package var contentType: String
    package var accept: String
    package var body: [UInt8]
    /// What the path and the method say.
    package let target: RequestTarget

    package init(
        method: String, path: String, query: QueryParameters = QueryParameters(), user: UserIdentity, contentType: String = "",
        accept: String = "", body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.user = user
        self.contentType = contentType
        self.accept = accept
        self.body = body
        target = RequestTarget(method: method, path: path, query: query)
    }

    /// The same with a target as a client writes it, `/api/v1/pods?limit=5`.
    package init(
        _ method: String, _ target: String, user: UserIdentity, body: JSONValue? = nil, contentType: String = "application/json",
        accept: String = "application/json"
    ) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(
            method: method, path: String(halves[0]), query: QueryParameters(parsing: halves.count == 2 ? halves[1] : ""), user: user,
            contentType: body == nil ? "" : contentType, accept: accept, body: body?.encoded() ?? [])
    }
}

/// Who sends a request.
package struct UserIdentity: Sendable, Hashable {
    package var name: String
    package var uid: String
    package var groups: [String]

    package init(name: String, uid: String = "", groups: [String] = []) {
        self.name = name
        self.uid = uid
        self.groups = groups
    }

    /// Nobody in particular: allowed the health and version paths only.
    package static let anonymous = UserIdentity(name: "system:anonymous", groups: ["system:unauthenticated"])
    /// The server itself and its administrator.
    package static let administrator = UserIdentity(name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"])
}
