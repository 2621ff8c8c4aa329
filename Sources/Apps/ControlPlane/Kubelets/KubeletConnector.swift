import EdgeTransport
import HTTPServing
import KubeMachinery
import KubeResources
import KubeServer
import Primitives
import Trust

/// Carries requests for logs, commands and proxies to the kubelet of a node, as its status says where that is.
///
/// The node's certificate has to come from cloudcore's authority or from this control plane's; the name in it does not count, because
/// nodes are dialled by address and edges answer through cloudcore.
struct KubeletConnector: KubeletProxy {
    let storage: any ResourceStorage
    /// What this API server shows to kubelets.
    let identity: ClientIdentity
    /// PEM.
    let authority: String

    func respond(to wanted: KubeletRequest, _ request: HTTPRequest) async throws -> HTTPResponse {
        let target = try KubeletTarget(wanted)
        let address = try await address(of: wanted.node).at(target.text)
        var headers = HTTPFields()
        for field in request.headers where !Self.own.contains(field.name.lowercased()) { headers.append(field.name, field.value) }
        headers.append("X-Forwarded-Uri", request.target)
        let wantsUpgrade = request.headers["Upgrade"] != nil
        headers.append("Connection", wantsUpgrade ? "Upgrade" : "close")
        if request.method != "GET", request.method != "HEAD" { headers.append("Content-Length", "0") }
        let answer: HTTPUpgradeExchange.Answer
        do {
            let exchange = try HTTPUpgradeExchange(
                request.method, address, headers: headers, trust: .issued(by: Array(try await authorities().utf8)), identity: identity)
            answer = try await exchange.perform()
        } catch {
            throw KubeStatus(
                code: 500, reason: "InternalError",
                message: "the kubelet of node \"\(wanted.node)\" at \(address.authority) does not answer: \(error)")
        }
        return KubeletAnswer(answer: answer, method: request.method).response
    }

    /// Headers that are between the client and this server only.
    private static let own: Set<String> = ["host", "authorization", "connection", "content-length", "transfer-encoding", "x-forwarded-uri"]

    private func address(of name: String) async throws -> PeerAddress {
        let node = try await storage.object(Resources.nodes.groupResource, ObjectKey(name: name))
        guard let node else { throw KubeStatus.notFound(Resources.nodes.groupResource, name) }
        let addresses = node.status["addresses"].elements
        let found = ["InternalIP", "ExternalIP", "Hostname"].lazy.compactMap { type in
            addresses.first { $0["type"].string == type }?["address"].string
        }
        guard let host = found.first, let port = node.status["daemonEndpoints"]["kubeletEndpoint"]["Port"].int, port > 0 else {
            throw KubeStatus.serviceUnavailable("the status of node \"\(name)\" does not say where its kubelet serves")
        }
        return PeerAddress(host: host, port: Int(port))
    }

    private func authorities() async throws -> String {
        let key = ObjectKey(namespace: "kubeedge", name: "casecret")
        guard let secret = try await storage.object(Resources.secrets.groupResource, key),
            let certificate = secret.json["data"]["cadata"].string.flatMap({ Base64.decode($0) })
        else { return authority }
        return authority + PEMBlock.text(certificate: certificate)
    }
}

/// Path and query at a kubelet for a subresource of the API.
struct KubeletTarget: Sendable, Hashable {
    /// Percent-encoded.
    let text: String

    init(_ wanted: KubeletRequest) throws(KubeStatus) {
        guard let pod = wanted.pod else {
            text = "/" + wanted.remainder.map(Self.escaped).joined(separator: "/") + Self.query(wanted.query.pairs.map { ($0.name, $0.value) })
            return
        }
        let place = "\(Self.escaped(pod.namespace ?? "default"))/\(Self.escaped(pod.name))"
        switch wanted.subresource {
        case "log":
            let names: Set<String> = ["follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes"]
            let container = try Self.container(wanted, pod)
            text =
                "/containerLogs/\(place)/\(Self.escaped(container))"
                + Self.query(wanted.query.pairs.filter { names.contains($0.name) }.map { ($0.name, $0.value) })
        case "portforward": text = "/portForward/\(place)" + Self.query(wanted.query.all("ports").map { ("port", $0) })
        default:
            let names = ["stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"]
            var pairs: [(String, String)] = wanted.subresource == "exec" ? wanted.query.all("command").map { ("command", $0) } : []
            for pair in wanted.query.pairs {
                if let own = names[pair.name], ["true", "1"].contains(pair.value.lowercased()) { pairs.append((own, "1")) }
            }
            let container = try Self.container(wanted, pod)
            text = "/\(wanted.subresource)/\(place)/\(Self.escaped(container))" + Self.query(pairs)
        }
    }

    /// The container that is asked for, or the only one.
    private static func container(_ wanted: KubeletRequest, _ pod: KubeObject) throws(KubeStatus) -> String {
        let lists = ["containers", "initContainers", "ephemeralContainers"]
        let names = lists.flatMap { pod.spec[$0].elements.compactMap { $0["name"].string } }
        if let name = wanted.query["container"], !name.isEmpty {
            guard names.contains(name) else { throw .badRequest("container \(name) is not valid for pod \(pod.name)") }
            return name
        }
        let regular = pod.spec["containers"].elements.compactMap { $0["name"].string }
        guard regular.count == 1 else {
            throw .badRequest("a container name must be specified for pod \(pod.name), choose one of: [\(regular.joined(separator: " "))]")
        }
        return regular[0]
    }

    private static func query(_ pairs: [(String, String)]) -> String {
        pairs.isEmpty ? "" : "?" + pairs.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&")
    }

    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What a kubelet said, as this server's answer.
struct KubeletAnswer: Sendable {
    let answer: HTTPUpgradeExchange.Answer
    let method: String

    var response: HTTPResponse {
        if answer.status == 101 {
            return .duplex(headers: answer.headers) { [answer] client in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        do {
                            if !answer.early.isEmpty { try await client.send(answer.early) }
                            while let bytes = try await answer.stream.receive() { try await client.send(bytes) }
                        } catch {}
                    }
                    group.addTask {
                        do { while let bytes = try await client.receive() { try await answer.stream.send(bytes) } } catch {}
                    }
                    await group.next()
                    group.cancelAll()
                    await client.close()
                    await answer.stream.close()
                }
            }
        }
        var headers = answer.headers
        for name in ["Content-Length", "Transfer-Encoding", "Connection"] { headers[name] = nil }
        let framing = HTTPBodyDecoder(status: answer.status, headers: answer.headers, method: method)
        return .stream(answer.status, headers: headers) { [answer] writer in
            var decoder = framing
            do {
                let first = try decoder.decode(answer.early)
                if !first.isEmpty { try await writer.write(first) }
                while !decoder.isWhole, let bytes = try await answer.stream.receive() {
                    let content = try decoder.decode(bytes)
                    if !content.isEmpty { try await writer.write(content) }
                }
                guard decoder.mayEnd else { throw HTTPServingError(code: .connectionClosed, message: "the kubelet's answer is not whole") }
            } catch {
                await answer.stream.close()
                throw error
            }
            await answer.stream.close()
        }
    }
}
