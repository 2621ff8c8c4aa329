import EdgeMessages
import KubeClient
import KubeMachinery
import KubeResources
import PodCore
import Primitives
import Synchronization

extension HollowFleet {
    func measure(_ api: KubeClient, _ nodes: [HollowNode]) async throws {
        switch configuration.measurement {
        case .hold: try await clock.wait(until: clock.now().uptime + configuration.duration)
        case .down: try await measureDown(api)
        case .query: try await measureUp(nodes) { node in _ = try await node.ask(.queryNode(node.name)) }
        case .lease: try await measureLeases(api, nodes)
        }
    }

    // MARK: - Cloud to edge

    /// ConfigMaps that a pod on every node uses are patched; each patch carries its time.
    private func measureDown(_ api: KubeClient) async throws {
        let writesPerSecond = configuration.rate / Double(configuration.count)
        let objects = max(1, min(100, Int(writesPerSecond)))
        let maps = (0..<objects).map { "hollow-\($0)" }
        for map in maps {
            try await make(api, Resources.configMaps, KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: map))
        }
        try await concurrently(names) { name in
            // One that a run before has left may use other maps.
            await remove(api, Resources.pods, name)
            try await make(api, Resources.pods, pod(on: name, using: maps))
        }
        // Every node has its pod, so that cloudcore knows who uses the maps, and every map once before time counts.
        let limit = clock.now().uptime + .seconds(60)
        while tally.nodesWithPods < configuration.count {
            guard clock.now().uptime < limit else { throw HollowFailure("\(tally.nodesWithPods) nodes alone have their pod after a minute") }
            try await clock.wait(until: clock.now().uptime + .milliseconds(50))
        }
        var written: [String: Int64] = [:]
        for map in maps { written["default/configmap/\(map)"] = try await stamp(api, map) }
        let ready = await settled(written, within: .seconds(60))
        guard ready == 0 else { throw HollowFailure("\(ready) objects have not reached their nodes within a minute") }
        tally.clearTimes()
        let before = tally.counts.applied
        let last = Mutex(written)
        let begin = clock.now().uptime
        let writes = try await paced(writesPerSecond) { index in
            let map = maps[index % maps.count]
            let time = try await stamp(api, map)
            last.withLock { $0["default/configmap/\(map)"] = max(time, $0["default/configmap/\(map)"] ?? 0) }
        }
        let seconds = (clock.now().uptime - begin) / .seconds(1)
        let lost = await settled(last.withLock { $0 }, within: .seconds(30))
        let (times, delivered) = (tally.times, tally.counts.applied - before)
        try await concurrently(names) { name in await remove(api, Resources.pods, name) }
        for map in maps { await remove(api, Resources.configMaps, map) }
        say([
            "event": "measured", "writes": .integer(Int64(writes)), "seconds": HollowTimes.decimal(seconds),
            "delivered": .integer(Int64(delivered)), "lost": .integer(Int64(lost)),
            "perSecond": HollowTimes.decimal(Double(delivered) / seconds),
            "sinceWrite": HollowTimes.summary(times.sinceWrite), "sinceMessage": HollowTimes.summary(times.sinceMessage),
        ])
    }

    private func remove(_ api: KubeClient, _ resource: GroupVersionResource, _ name: String) async {
        _ = try? await api.delete(resource, ObjectKey(namespace: "default", name: name), options: ["gracePeriodSeconds": 0])
    }

    private func stamp(_ api: KubeClient, _ map: String) async throws -> Int64 {
        let time = HollowStamp.now(clock)
        let patch: JSONValue = ["data": [HollowStamp.member: .string(String(time))]]
        _ = try await api.patch(Resources.configMaps, ObjectKey(namespace: "default", name: map), patch, .merge, subresource: nil)
        return time
    }

    private func pod(on node: String, using maps: [String]) -> KubeObject {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: node)
        pod.spec = [
            "nodeName": .string(node), "terminationGracePeriodSeconds": 0,
            "containers": [["name": "c", "image": "hollow", "envFrom": .array(maps.map { ["configMapRef": ["name": .string($0)]] })]],
        ]
        return pod
    }

    private func make(_ api: KubeClient, _ resource: GroupVersionResource, _ object: KubeObject) async throws {
        do { _ = try await api.create(resource, namespace: object.namespace, name: nil, object, subresource: nil) } catch let status as KubeStatus
            where status.isAlreadyExists
        {}
    }

    private func settled(_ written: [String: Int64], within time: Duration) async -> Int {
        let end = clock.now().uptime + time
        while true {
            let missing = tally.missing(written, at: names)
            guard missing > 0, clock.now().uptime < end else { return missing }
            try? await clock.wait(until: clock.now().uptime + .milliseconds(50))
        }
    }

    // MARK: - Edge to cloud

    private func measureUp(_ nodes: [HollowNode], _ ask: @escaping @Sendable (HollowNode) async throws -> Void) async throws {
        tally.clearTimes()
        let failures = Atomic(0)
        let begin = clock.now().uptime
        let asked = try await paced(configuration.rate) { index in
            do { try await ask(nodes[index % nodes.count]) } catch is KubeStatus { failures.add(1, ordering: .relaxed) }
        }
        let seconds = (clock.now().uptime - begin) / .seconds(1)
        say([
            "event": "measured", "requests": .integer(Int64(asked)), "failures": .integer(Int64(failures.load(ordering: .relaxed))),
            "seconds": HollowTimes.decimal(seconds), "perSecond": HollowTimes.decimal(Double(asked) / seconds),
            "requestTime": HollowTimes.summary(tally.times.requests),
        ])
    }

    /// Every renewal that was answered has to be in the API afterwards, or one after it.
    private func measureLeases(_ api: KubeClient, _ nodes: [HollowNode]) async throws {
        let acknowledged = Mutex<[String: String]>([:])
        try await measureUp(nodes) { node in
            let time = clock.now().wall
            var lease = try await node.ask(.queryLease(node.name))
            lease = NodeLease.renewed(lease, node: node.name, nodeUID: "", now: time)
            // Whoever was faster has renewed it: that is no loss.
            lease.metadata.removeMember("resourceVersion")
            _ = try await node.ask(.updateLease(lease))
            acknowledged.withLock { $0[node.name] = max($0[node.name] ?? "", time.rfc3339Micro) }
        }
        let stored = try await api.list(Resources.leases, ListQuery(namespace: "kube-node-lease"))
        let times = Dictionary(stored.items.map { ($0.name, $0.spec["renewTime"].string ?? "") }) { first, _ in first }
        let lost = acknowledged.withLock { $0.count { (times[$0.key] ?? "") < $0.value } }
        say(["event": "checked", "acknowledged": .integer(Int64(acknowledged.withLock { $0.count })), "lost": .integer(Int64(lost))])
    }

    // MARK: - Pace

    /// Calls `work` at a rate, or as fast as so many at a time go; returns how often.
    private func paced(_ rate: Double, _ work: @escaping @Sendable (Int) async throws -> Void) async throws -> Int {
        let begin = clock.now().uptime
        return try await withThrowingTaskGroup(of: Void.self) { group in
            var index = 0
            while clock.now().uptime < begin + configuration.duration {
                if rate > 0 { try await clock.wait(until: begin + .seconds(Double(index) / rate)) }
                if index >= configuration.inFlight { try await group.next() }
                let number = index
                group.addTask { try await work(number) }
                index += 1
            }
            try await group.waitForAll()
            return index
        }
    }

    private func concurrently(_ names: [String], _ work: @escaping @Sendable (String) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, name) in names.enumerated() {
                if index >= 16 { try await group.next() }
                group.addTask { try await work(name) }
            }
            try await group.waitForAll()
        }
    }
}
