import KubeMachinery
import KubeServer
import Logging
import Primitives

/// Puts what every cluster has into a store that lacks it.
struct Bootstrap: Sendable {
    let server: APIServer
    let logger: Logger

    /// Creates what is missing; what is there stays as it is.
    func run(endpoint: (host: String, port: Int)) async throws {
        for item in BootstrapObjects.all(endpoint: endpoint) {
            let path = item.resource.path(namespace: item.object.namespace)
            let known = await server.answer(APIRequest("GET", "\(path)/\(item.object.name)", user: .administrator))
            if known.status == 200 { continue }
            let made = await server.answer(APIRequest("POST", path, user: .administrator, body: item.object.json))
            guard made.status < 300 || made.status == 409 else {
                throw ControlPlaneError(
                    code: .bootstrap,
                    message: "\(item.object.kind) \(item.object.key) cannot be created: \(made.json["message"].string ?? "status \(made.status)"); "
                        + "if the data folder comes from another version, remove it and start again")
            }
            logger.debug("bootstrap object created", metadata: ["kind": "\(item.object.kind)", "name": "\(item.object.key)"])
        }
    }
}
