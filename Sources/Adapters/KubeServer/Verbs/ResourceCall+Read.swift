import KubeMachinery
import KubeResources
import Primitives

extension ResourceCall {
    /// The stored object that the path names.
    func stored() async throws -> KubeObject {
        let key = try key()
        guard let object = try await storage.object(groupResource, key) else { throw KubeStatus.notFound(groupResource, key.name) }
        return object
    }

    func get() async throws -> APIResponse {
        try await checkRevision()
        return try respond(try await stored())
    }

    /// Refuses a `resourceVersion` of the future, as a server that lags behind would.
    @discardableResult
    private func checkRevision() async throws -> UInt64 {
        let current = try await storage.revision()
        guard let text = query["resourceVersion"], !text.isEmpty else { return current }
        guard let wanted = UInt64(text) else { throw KubeStatus.badRequest("invalid resource version \"\(text)\"") }
        guard wanted <= current else {
            throw KubeStatus(
                code: 504, reason: "Timeout", message: "Too large resource version: \(wanted), current: \(current)",
                details: ["causes": [["reason": "ResourceVersionTooLarge", "message": "Too large resource version"]], "retryAfterSeconds": 1])
        }
        return current
    }
}

/// What a list or watch is narrowed to.
struct Selection: Sendable {
    let labels: LabelSelector
    let fields: FieldSelector
    let definition: ResourceDefinition

    var isEverything: Bool { labels.isEverything && fields.isEverything }

    func matches(_ object: KubeObject) -> Bool {
        labels.matches(object) && definition.matches(fields, object)
    }
}

extension ResourceCall {
    func selection() throws -> Selection {
        let labels = try LabelSelector(parsing: query["labelSelector"] ?? "")
        let fields = try FieldSelector(parsing: query["fieldSelector"] ?? "")
        try definition.check(fields)
        return Selection(labels: labels, fields: fields, definition: definition)
    }

    func list() async throws -> APIResponse {
        let presenter = try presenter()
        let selection = try selection()
        let page = try await page(selection)
        var metadata: JSONValue = ["resourceVersion": .string(String(page.revision))]
        if let next = page.next {
            metadata["continue"] = .string(ContinueToken(revision: page.revision, after: next).text)
            if selection.isEverything { metadata["remainingItemCount"] = .integer(Int64(page.remaining)) }
        }
        return APIResponse(presenter.list(page.objects, metadata: metadata))
    }

    /// The page that the query asks for.
    ///
    /// Every page carries the revision of the first: whoever watches from there misses nothing that
    /// changed while the pages were read.
    func page(_ selection: Selection) async throws -> StoragePage {
        let limit = query["limit"].flatMap(Int.init).flatMap { $0 > 0 ? $0 : nil }
        var after: ObjectKey?
        var revision: UInt64?
        if let text = query["continue"], !text.isEmpty {
            let token = try ContinueToken(parsing: text)
            after = token.after
            revision = token.revision
        } else {
            let current = try await checkRevision()
            if query["resourceVersionMatch"] == "Exact", let exact = query["resourceVersion"].flatMap(UInt64.init), exact != current {
                throw KubeStatus.gone("The resourceVersion for the provided list is too old.")
            }
        }
        var result = StoragePage(objects: [], revision: revision ?? 0)
        var isFirst = revision == nil
        while true {
            let page = try await storage.list(groupResource, namespace: namespace, limit: limit.map { max($0, 100) }, after: after)
            if isFirst { result.revision = page.revision }
            isFirst = false
            for (index, object) in page.objects.enumerated() where selection.matches(object) {
                result.objects.append(object)
                guard result.objects.count == limit else { continue }
                let rest = page.objects.count - index - 1 + page.remaining
                if rest > 0 {
                    result.next = object.key
                    result.remaining = rest
                }
                return result
            }
            guard let next = page.next else { return result }
            after = next
        }
    }
}
