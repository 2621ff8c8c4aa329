import ControlPlane
import Foundation
import KubeMachinery
import KubeResources
import Primitives
import Testing

@Suite("Embedded control plane")
struct EmbeddedControlPlaneTests {
    @Test("the first objects are there, and a second start keeps keys and objects")
    func restart() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("control-plane-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let authority = try await ServedCluster.run(in: folder, controllers: false) { access in
            let client = try ServedCluster.client(access)
            let namespaces = try await client.list(Resources.namespaces, ListQuery())
            #expect(Set(namespaces.items.map(\.name)).isSuperset(of: ["default", "kube-system", "kube-public", "kube-node-lease", "kubeedge"]))
            var map = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "kept")
            map.json["data"] = ["a": "b"]
            _ = try await client.create(Resources.configMaps, map)
            await client.shutdown()
            return access.authority
        }
        let again = try await ServedCluster.run(in: folder, controllers: false) { access in
            let client = try ServedCluster.client(access)
            #expect(try await client.get(Resources.configMaps, ObjectKey(namespace: "default", name: "kept")).json["data"]["a"] == "b")
            await client.shutdown()
            return access.authority
        }
        #expect(again == authority)
    }

    @Test("private keys and the kubeconfig are for their owner only")
    func modes() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("control-plane-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await ServedCluster.run(in: folder, controllers: false) { _ in
            for file in ["pki/ca.key", "pki/apiserver.key", "pki/admin.key", "pki/sa.key", "kubeconfig"] {
                let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")[.posixPermissions] as? Int
                #expect(mode == 0o600, "\(file)")
            }
        }
    }

    @Test("changes reach a watch over the wire, and a conflict is told as one")
    func wire() async throws {
        try await ServedCluster.run(controllers: false) { access in
            let client = try ServedCluster.client(access)
            let list = try await client.list(Resources.configMaps, ListQuery(namespace: "default"))
            let events = try await client.watch(Resources.configMaps, ListQuery(namespace: "default"), resourceVersion: list.resourceVersion)
            let made = try await client.create(
                Resources.configMaps, KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "seen"))
            for try await event in events {
                guard case .added(let object) = event else { continue }
                #expect(object == made)
                break
            }
            var stale = made
            stale.labels = ["x": "1"]
            _ = try await client.update(Resources.configMaps, stale)
            await #expect { _ = try await client.update(Resources.configMaps, stale) } throws: { ($0 as? KubeStatus)?.isConflict == true }
            await client.shutdown()
        }
    }
}
