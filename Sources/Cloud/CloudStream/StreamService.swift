import EdgeMessages
import EdgeTransport
import HTTPServing
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// What the API server reaches instead of a kubelet: finds the node, opens a stream, answers with what comes through it.
struct StreamService: Sendable {
    let registry: TunnelRegistry
    let api: any KubeAPI
    let clock: any MomentSource
    let logger: Logger

    func answer(_ request: HTTPRequest) async -> HTTPResponse {
        guard let path = StreamPath(request.path) else { return .text(404, "no kubelet serves \(request.path)") }
        let tunnel: TunnelRegistry.Entry
        switch await find(path, request) {
        case .success(let found): tunnel = found
        case .failure(let refusal):
            logger.info("stream refused", metadata: ["path": "\(request.path)", "cause": "\(refusal.cause)"])
            return .text(refusal.status, refusal.cause)
        }
        return await open(path, request, tunnel)
    }

    private struct Refusal: Error {
        var status: Int
        var cause: String
    }

    private func find(_ path: StreamPath, _ request: HTTPRequest) async -> Result<TunnelRegistry.Entry, Refusal> {
        switch path {
        case .pod(_, let key):
            let node: String
            do {
                node = try await api.get(Resources.pods, key).spec["nodeName"].string ?? ""
            } catch let status as KubeStatus where status.isNotFound {
                return .failure(Refusal(status: 404, cause: "pod \(key) does not exist"))
            } catch {
                return .failure(Refusal(status: 500, cause: "pod \(key) cannot be looked up now: \(error)"))
            }
            guard let tunnel = await registry.tunnel(node: node) else { return .failure(Self.closed(node)) }
            return .success(tunnel)
        case .node:
            let (name, address) = StreamPath.node(of: request)
            if let name { return await registry.tunnel(node: name).map(Result.success) ?? .failure(Self.closed(name)) }
            return await registry.tunnel(address: address).map(Result.success) ?? .failure(Self.closed("with address \(address)"))
        }
    }

    private static func closed(_ node: String) -> Refusal {
        Refusal(
            status: 502,
            cause:
                "no tunnel from node \(node) is open here: see that modules.edgeStream is enabled on it and that it reaches the tunnel port of cloudcore"
        )
    }

    private func open(_ path: StreamPath, _ request: HTTPRequest, _ tunnel: TunnelRegistry.Entry) async -> HTTPResponse {
        let kind: TunnelFrame.Kind
        // Towards an edge of this house everything travels whole, so that the kubelet's status arrives too.
        if tunnel.usesCredit {
            kind = .exec
        } else {
            switch path {
            case .pod(.logs, _): kind = .logs
            case .pod(.attach, _): kind = .attach
            case .pod: kind = .exec
            case .node: kind = .metrics
            }
        }
        let connector = await connector(request, kind)
        let stream: TunnelStream
        do {
            stream = try await tunnel.session.open(kind, connector)
        } catch {
            return .text(502, "the tunnel to node \(tunnel.node) broke: \(error)")
        }
        let answer = StreamAnswer(stream: stream, method: request.method, clock: clock)
        switch kind {
        case .logs: return answer.body(contentType: "text/plain")
        case .metrics: return answer.body(contentType: request.path.hasPrefix("/stats") ? "application/json" : "text/plain; version=0.0.4")
        default: return await answer.whole()
        }
    }

    private func connector(_ request: HTTPRequest, _ kind: TunnelFrame.Kind) async -> TunnelConnector {
        var headers: [String: [String]] = [:]
        for field in request.headers where field.name.lowercased() != "host" { headers[Self.canonical(field.name), default: []].append(field.value) }
        let path = request.path.split(separator: "/", omittingEmptySubsequences: false).map { PercentEncoding.decode($0) }.joined(separator: "/")
        return TunnelConnector(
            stream: await registry.nextStream(), path: path, rawPath: path == request.path ? "" : String(request.path),
            query: request.rawQuery.map(String.init) ?? "", headers: headers, method: kind == .logs || kind == .metrics ? nil : request.method)
    }

    /// `x-stream-protocol-version` as `X-Stream-Protocol-Version`: the spelling a Go edge looks up.
    static func canonical(_ name: String) -> String {
        name.split(separator: "-", omittingEmptySubsequences: false).map { $0.prefix(1).uppercased() + $0.dropFirst().lowercased() }.joined(
            separator: "-")
    }
}
