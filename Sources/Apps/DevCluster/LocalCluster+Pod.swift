import Glibc
import KubeClient
import KubeMachinery
import KubeResources
import Primitives

extension LocalCluster {
    /// Applies the demo's Deployment and waits until its pod runs on the edge node and answers over its own address.
    func runPod() async throws -> String {
        let deployment = KubeObject(configuration.demoDeployment)
        try await withAPI { client in
            do { _ = try await client.create(Resources.deployments, deployment) } catch let status as KubeStatus where status.isAlreadyExists {
                _ = try await client.patch(Resources.deployments, deployment.key, ["spec": deployment.spec], .merge)
            }
        }
        let node = configuration.nodeName
        var address = ""
        var state = "no pod yet"
        do {
            // What the API says of a node that has just come back may be old: the pod counts once it answers where it is said to be.
            try await wait(for: "edgecore", "a pod of Deployment hello runs on \(node) and answers") {
                let query = ListQuery(namespace: "default", labelSelector: "app=hello")
                let pods = try await withAPI { try await $0.list(Resources.pods, query) }.items
                for pod in pods where pod.deletionTimestamp == nil {
                    state = "\(pod.name) is \(pod.status["phase"].string ?? "?") \(Self.cause(pod))"
                    let isReady = pod.status["conditions"].elements.contains { $0["type"] == "Ready" && $0["status"] == "True" }
                    guard isReady, pod.spec["nodeName"].string == node, let found = pod.status["podIP"].string,
                        PodProbe.answers(found, port: 8080)
                    else { continue }
                    address = found
                    return true
                }
                return false
            }
        } catch let failure as ClusterFailure where failure.code == .timedOut {
            throw ClusterFailure(code: .timedOut, message: "\(state)\n\(failure.message)")
        }
        return "answers on http://\(address):8080"
    }

    /// Why a pod does not run, in the words of its status.
    private static func cause(_ pod: KubeObject) -> String {
        let waiting = pod.status["containerStatuses"].elements.compactMap { $0["state"]["waiting"].object }.first
        let condition = pod.status["conditions"].elements.first { $0["status"] == "False" && $0["message"].string?.isEmpty == false }
        return [waiting?["reason"]?.string, waiting?["message"]?.string, condition?["message"].string].compactMap { $0 }.joined(separator: ": ")
    }
}

/// One HTTP request to a pod, to see that it answers.
enum PodProbe {
    static func answers(_ address: String, port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        guard inet_pton(AF_INET, address, &target.sin_addr) == 1 else { return false }
        let isConnected = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
        let request = Array("GET / HTTP/1.0\r\nHost: \(address)\r\n\r\n".utf8)
        guard isConnected, send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return false }
        var answer = [UInt8](repeating: 0, count: 64)
        let count = recv(descriptor, &answer, answer.count, 0)
        return count > 0 && String(decoding: answer.prefix(count), as: UTF8.self).contains(" 200 ")
    }
}
