internal import DeliveryCore
internal import EdgeMessages
package import KubeMachinery
internal import ObjectStore
internal import PodCore
package import Primitives

extension MetaManager {
    /// Asks the cloud and waits for its word. Throws `KubeStatus`; 503 where the cloud cannot be reached or does not answer.
    func ask(_ message: EdgeMessage, timeout: Duration) async throws -> EdgeAnswer {
        let reply: EdgeMessage
        do { reply = try await uplink.request(message, timeout: timeout) } catch let error as UplinkError {
            let cause =
                switch error {
                case .notConnected: "the cloud is not connected"
                case .timedOut: "the cloud did not answer within \(timeout)"
                case .connectionLost: "the connection to the cloud broke"
                }
            throw KubeStatus.serviceUnavailable("\(message.route.operation) \(message.route.resource): \(cause)")
        }
        let answer = reply.answer
        if case .failure(let status) = answer { throw status }
        return answer
    }

    /// Reads an object: from the cloud where it answers, else from the store.
    func read(_ type: String, _ resource: GroupResource, _ key: ObjectKey) async throws -> KubeObject {
        if await uplink.isConnected() {
            do {
                let namespace = key.namespace ?? EdgeObjectPath.defaultNamespace
                let message = EdgeMessage.query(type, namespace: namespace, name: key.name)
                if case .object(let object) = try await ask(message, timeout: configuration.queryTimeout) {
                    let complete = EdgeRecords.complete(object, ofType: type)
                    try await keep(complete, in: resource)
                    return complete
                }
            } catch let status as KubeStatus where !status.isRetryable {
                // The cloud knows better than the local copy, which stays until the cloud says that the object was deleted.
                throw status
            } catch let status as KubeStatus {
                logger.info("local copy answers for the cloud", metadata: ["object": "\(type)/\(key)", "error": "\(status)"])
            }
        }
        guard let stored = try await store.object(resource, key) else {
            throw KubeStatus.serviceUnavailable("\(type) \"\(key)\" is not known here and the cloud cannot be asked now")
        }
        return stored
    }

    /// Sends a write and returns the object the cloud answered with.
    func write(_ message: EdgeMessage) async throws -> KubeObject {
        guard case .object(let object) = try await ask(message, timeout: configuration.writeTimeout) else {
            throw KubeStatus.internalError("the cloud answered \(message.route.operation) \(message.route.resource) without an object")
        }
        return object
    }
}

extension MetaManager {
    package func configMap(_ key: ObjectKey) async throws -> KubeObject { try await read(EdgeType.configMap, EdgeRecords.configMaps, key) }

    package func secret(_ key: ObjectKey) async throws -> KubeObject { try await read(EdgeType.secret, EdgeRecords.secrets, key) }

    package func runtimeClass(_ name: String) async throws -> KubeObject {
        try await read(EdgeRecords.runtimeClassWord, EdgeRecords.runtimeClasses, ObjectKey(name: name))
    }

    package func services(namespace: String) async -> [KubeObject] {
        let key = ObjectKey(name: namespace)
        do {
            if await uplink.isConnected(), await uplink.offers(.services),
                case .object(var list) = try await ask(.queryServices(namespace: namespace), timeout: configuration.queryTimeout)
            {
                list.name = namespace
                if try await store.object(EdgeRecords.serviceLists, key)?.json["items"] != list.json["items"] {
                    try await store.apply([.put(EdgeRecords.serviceLists, list)])
                }
                return list.json["items"].elements.map { KubeObject($0) }
            }
        } catch {
            logger.info("services are not known anew", metadata: ["namespace": "\(namespace)", "error": "\(error)"])
        }
        let stored = try? await store.object(EdgeRecords.serviceLists, key)
        return (stored?.json["items"].elements ?? []).map { KubeObject($0) }
    }

    package func persistentVolume(_ name: String) async throws -> KubeObject {
        try await read(EdgeType.persistentVolume, EdgeRecords.persistentVolumes, ObjectKey(name: name))
    }

    package func persistentVolumeClaim(_ key: ObjectKey) async throws -> KubeObject {
        try await read(EdgeType.persistentVolumeClaim, EdgeRecords.persistentVolumeClaims, key)
    }

    package func node() async throws -> KubeObject {
        try await read(EdgeType.node, EdgeRecords.nodes, ObjectKey(name: configuration.nodeName))
    }

    package func createNode(_ node: KubeObject) async throws -> KubeObject {
        try await keepNode(try await write(.registerNode(node)))
    }

    package func patchNodeStatus(_ patch: JSONValue) async throws -> KubeObject {
        try await keepNode(try await write(.patchNodeStatus(configuration.nodeName, patch)))
    }

    private func keepNode(_ node: KubeObject) async throws -> KubeObject {
        let node = EdgeRecords.complete(node, ofType: EdgeType.node)
        try await keep(node, in: EdgeRecords.nodes)
        return node
    }

    package func lease() async throws -> KubeObject { try await write(.queryLease(configuration.nodeName)) }
    package func createLease(_ lease: KubeObject) async throws -> KubeObject { try await write(.createLease(lease)) }
    package func updateLease(_ lease: KubeObject) async throws -> KubeObject { try await write(.updateLease(lease)) }
    package func renewsLease() async -> Bool { await uplink.offers(.leases) }
    package func createPod(_ pod: KubeObject) async throws -> KubeObject { try await write(.createPod(pod)) }

    package func connectivity() async -> AsyncStream<Bool> { await uplink.connectivity() }
}
