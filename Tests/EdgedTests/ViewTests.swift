import EdgeTesting
import KubeMachinery
import Logging
import PodCore
import Primitives
import Synchronization
import Testing

@testable import Edged

/// What the HTTP server sees of the kubelet, and what is counted.
struct ViewTests {
    private final class Meter: KubeletMeter {
        private let state = Mutex<[KubeletMeasurement]>([])
        var measurements: [KubeletMeasurement] { state.withLock { $0 } }
        func record(_ measurement: KubeletMeasurement) { state.withLock { $0.append(measurement) } }

        func count(_ isWanted: (KubeletMeasurement) -> Bool) -> Int { measurements.count(where: isWanted) }
    }

    @Test func `wanted pods are shown with their newest status and work is counted where it is done`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let meter = Meter()
        let quiet = Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() }
        let edged = try Edged(
            bed.configuration, runtime: bed.runtime, backend: bed.backend, handlers: bed.network, meter: meter,
            cgroups: PodCgroups(root: bed.directory + "/cgroup", logger: quiet), clock: bed.clock, logger: quiet)
        let view = edged.view
        #expect(await view.timeSinceSync() == nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await edged.run() } catch is CancellationError {}
            }
            var pod = makePod("web")
            pod.metadata["creationTimestamp"] = .string(bed.clock.now().wall.rfc3339)
            await bed.backend.start([pod])
            try await bed.eventually("the pod is shown to run") { await view.pod(pod.key)?.status["phase"] == "Running" }
            #expect(await view.pods().map(\.name) == ["web"])
            #expect(await view.pod(ObjectKey(namespace: "other", name: "web")) == nil)
            let age = try #require(await view.timeSinceSync())
            #expect(age < .seconds(2))
            #expect(meter.count { $0 == .containerStart(kind: .regular, code: nil) } == 1)
            #expect(meter.count { if case .sandboxStart(_, false) = $0 { true } else { false } } == 1)
            #expect(meter.count { if case .podRuns = $0 { true } else { false } } == 1)

            // Gone from the cluster, though its container is not stopped yet.
            await bed.runtime.hang("stopContainer", "web-main")
            await bed.backend.remove(pod.uid)
            try await bed.eventually("the pod is shown no more") { await view.pods().isEmpty }
            #expect(await bed.runtime.runningContainers == ["web-main"])
            await bed.runtime.release("stopContainer", "web-main")
            try await bed.eventually("its series end") { meter.count { $0 == .podGone(uid: pod.uid) } == 1 }
            #expect(meter.count { if case .relist = $0 { true } else { false } } > 0)
            group.cancelAll()
        }
    }
}
