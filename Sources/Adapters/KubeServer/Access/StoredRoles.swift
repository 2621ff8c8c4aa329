package import KubeMachinery
import KubeResources
package import Primitives
import Synchronization

/// RBAC from the roles and bindings in the store.
package final class StoredRoles: AccessPolicy {
    private struct State {
        var book: RoleBook?
        /// Grows with every change, so that rules read meanwhile are not taken for new.
        var generation = 0
    }

    private let storage: any ResourceStorage
    private let state = Mutex(State())

    package init(storage: any ResourceStorage) { self.storage = storage }

    package func allows(_ request: AccessRequest) async throws -> Bool {
        if request.user.groups.contains("system:masters") { return true }
        return try await book().allows(request)
    }

    package func rules(for user: UserIdentity, namespace: String) async throws -> [JSONValue] {
        try await book().rules(for: user, namespace: namespace)
    }

    package func didWrite(group: String) {
        guard group == Resources.roles.group else { return }
        state.withLock { state in
            state.book = nil
            state.generation += 1
        }
    }

    private func book() async throws -> RoleBook {
        let (known, generation) = state.withLock { ($0.book, $0.generation) }
        if let known { return known }
        let book = RoleBook(
            clusterRoles: try await objects(Resources.clusterRoles), clusterRoleBindings: try await objects(Resources.clusterRoleBindings),
            roles: try await objects(Resources.roles), roleBindings: try await objects(Resources.roleBindings))
        state.withLock { state in
            if state.generation == generation { state.book = book }
        }
        return book
    }

    private func objects(_ resource: GroupVersionResource) async throws -> [KubeObject] {
        try await storage.list(resource.groupResource, namespace: nil, limit: nil, after: nil).objects
    }
}
