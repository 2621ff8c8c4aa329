import ContainerRuntime
import DevCluster
import EdgeTesting
import Edged
import KubeMachinery
import PodCore
import Primitives
import Testing

@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct ProbesOnContainerdTests {
    @Test func `probes keep their beat of a second, each for itself`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let kubelet = KubeletOnBed(bed: bed, backend: FakeKubeletBackend())
            let script = "httpd -p 8080 -h /tmp; while true; do sleep 0.05; done"
            // The liveness probe takes longer than its period, and the readiness probe must not mind.
            let probes: JSONValue = [
                "readinessProbe": ["exec": ["command": ["/bin/sh", "-c", "cut -d' ' -f1 /proc/uptime >> /tmp/beats"]], "periodSeconds": 1],
                "livenessProbe": ["exec": ["command": ["/bin/sleep", "1.4"]], "periodSeconds": 1, "timeoutSeconds": 5],
                "startupProbe": ["tcpSocket": ["port": 8080], "periodSeconds": 1, "failureThreshold": 30],
            ]
            let pod = KubeletOnBed.pod("web", [("main", script, probes)])
            await kubelet.backend.start([pod])
            try await kubelet.run {
                try await bed.eventually("it is ready") { await kubelet.container(pod)["ready"] == true }
                try await bed.eventually("there are eight beats") {
                    try await kubelet.output(pod, "wc -l < /tmp/beats").split(separator: "\n").first.flatMap { Int($0) } ?? 0 >= 8
                }
                let beats = try await kubelet.output(pod, "cat /tmp/beats").split(separator: "\n").compactMap { Double($0) }
                let total = try #require(beats.last) - beats[0]
                // Each waking may be late on a busy machine, but lateness must not add up.
                #expect(abs(total - Double(beats.count - 1)) < 0.9, "beats at \(beats)")
                #expect(await kubelet.container(pod)["restartCount"] == 0)
            }
        }
    }
}
