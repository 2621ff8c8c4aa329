package import KubeMachinery
package import KubeResources
import Primitives
import Synchronization

/// The resources that are served now: the built-in ones and those of established CustomResourceDefinitions.
package final class ServedCatalogue: Sendable {
    private struct State {
        var catalogue: ResourceCatalogue
        /// OpenAPI documents by path, made when they are first asked for; at most one a group version.
        var documents: [String: String] = [:]
    }

    private let builtIn: ResourceCatalogue
    private let state: Mutex<State>

    package init(builtIn: ResourceCatalogue = .builtIn) {
        self.builtIn = builtIn
        state = Mutex(State(catalogue: builtIn))
    }

    /// The catalogue of this moment.
    package var snapshot: ResourceCatalogue { state.withLock { $0.catalogue } }

    func definition(_ resource: GroupVersionResource) -> ResourceDefinition? { state.withLock { $0.catalogue[resource] } }

    /// Reads the CustomResourceDefinitions of a store anew. A built-in resource is never replaced.
    package func reload(from storage: any ResourceStorage) async throws {
        let page = try await storage.list(Resources.customResourceDefinitions.groupResource, namespace: nil, limit: nil, after: nil)
        var next = builtIn
        for definition in page.objects.flatMap(CustomResources.resources) where builtIn[definition.resource] == nil { next.add(definition) }
        let served = next
        state.withLock { $0 = State(catalogue: served) }
    }

    /// The text of an OpenAPI document, kept until the catalogue changes; nil where `make` knows none.
    func openAPI(_ path: String, make: (ResourceCatalogue) -> JSONValue?) -> String? {
        state.withLock { state in
            if let known = state.documents[path] { return known }
            guard let text = make(state.catalogue)?.text() else { return nil }
            state.documents[path] = text
            return text
        }
    }
}
