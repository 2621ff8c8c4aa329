import KubeMachinery
import Primitives

extension ResourceCall {
    func watch() async throws -> APIResponse {
        let presenter = try presenter()
        let selection = try selection()
        if query.flag("sendInitialEvents") || query["resourceVersionMatch"]?.isEmpty == false {
            throw KubeStatus(
                code: 422, reason: "Invalid",
                message: "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: "
                    + "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
                details: ["group": "meta.k8s.io", "kind": "ListOptions"])
        }
        let text = query["resourceVersion"] ?? ""
        guard let since = text.isEmpty ? 0 : UInt64(text) else { throw KubeStatus.badRequest("invalid resource version \"\(text)\"") }
        do {
            var initial: [KubeObject] = []
            var revision = since
            if since == 0 {
                let page = try await storage.list(groupResource, namespace: namespace, limit: nil, after: nil)
                initial = page.objects.filter(selection.matches)
                revision = page.revision
            }
            let events = try await storage.watch(groupResource, namespace: namespace, after: revision)
            return APIResponse(
                body: .watch(
                    WatchSession(
                        presenter: presenter, selection: selection, initial: initial, events: events, revision: revision,
                        sendsBookmarks: query.flag("allowWatchBookmarks"), timeout: timeout(), clock: server.clock)))
        } catch let failure as KubeStatus where failure.isGone {
            let line = WatchLines.line("ERROR", failure.json)
            return APIResponse(body: .text(String(decoding: line, as: UTF8.self)))
        }
    }

    /// What the client asked for, else half an hour to an hour by chance, so that watches do not all end at once.
    private func timeout() -> Duration {
        if let seconds = query["timeoutSeconds"].flatMap(Int64.init), seconds > 0 { return .seconds(min(seconds, 86_400)) }
        return .seconds(Int64.random(in: 1800...3600))
    }
}
