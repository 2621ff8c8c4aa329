import KubeMachinery
import Primitives

/// How an object is to be deleted.
struct DeleteOptions: Sendable {
    enum Propagation: String, Sendable { case orphan = "Orphan", background = "Background", foreground = "Foreground" }

    var gracePeriodSeconds: Int64?
    var propagation: Propagation?
    var uid: String?
    var resourceVersion: String?
    var isDryRun = false

    init(gracePeriodSeconds: Int64? = nil) { self.gracePeriodSeconds = gracePeriodSeconds }

    /// Reads the body, a `DeleteOptions` or nothing, and the query, which counts where the body says nothing.
    init(body: JSONValue, query: QueryParameters) throws(KubeStatus) {
        gracePeriodSeconds = body["gracePeriodSeconds"].int ?? query["gracePeriodSeconds"].flatMap(Int64.init)
        if let seconds = gracePeriodSeconds, seconds < 0 { gracePeriodSeconds = 1 }
        uid = body.at("preconditions", "uid").string
        resourceVersion = body.at("preconditions", "resourceVersion").string
        isDryRun = query.all("dryRun").contains("All") || body["dryRun"].strings.contains("All")
        if let text = body["propagationPolicy"].string ?? query["propagationPolicy"], !text.isEmpty {
            guard let policy = Propagation(rawValue: text) else {
                throw KubeStatus(
                    code: 422, reason: "Invalid",
                    message: "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"\(text)\": "
                        + "supported values: \"Foreground\", \"Background\", \"Orphan\"")
            }
            propagation = policy
        } else if let orphan = body["orphanDependents"].bool ?? query["orphanDependents"].map({ $0 != "false" }) {
            propagation = orphan ? .orphan : .background
        }
    }
}
