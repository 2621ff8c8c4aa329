import CloudStream
import EdgeStream
import EdgeTesting
import EdgeTransport
import HTTPServing
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Testing
import Trust

/// Logs, commands and figures through a real tunnel: API server's side, cloud, edge, kubelet.
@Suite("A tunnel on the loopback", .timeLimit(.minutes(1)))
struct TunnelTests {
    @Test("carries the kubelet's whole answers, long ones and refusals too")
    func answers() async throws {
        try await TunnelBed.withBed { bed in
            let log = try await bed.get("/containerLogs/default/web/main?tailLines=3")
            #expect(log.status == 200 && log.text == "lines of main: tailLines=3")
            let missing = try await bed.get("/containerLogs/default/web/other")
            #expect(missing.status == 404 && missing.text == "no container other")
            let long = try await bed.get("/containerLogs/default/web/long")
            #expect(long.body.count == TunnelBed.longBytes)
            #expect(long.body.allSatisfy { $0 == UInt8(ascii: "x") })
            let figures = try await bed.get("/metrics/resource", headers: ["X-Forwarded-Uri": "/api/v1/nodes/edge-1/proxy/metrics"])
            #expect(figures.status == 200 && figures.text == "figures")
        }
    }

    @Test("says what is missing: the pod, the tunnel, the path")
    func refusals() async throws {
        try await TunnelBed.withBed { bed in
            #expect(try await bed.get("/containerLogs/default/ghost/main").status == 404)
            let away = try await bed.get("/containerLogs/default/away/main")
            #expect(away.status == 502 && away.text.contains("no tunnel from node edge-2"))
            #expect(try await bed.get("/nonsense").status == 404)
        }
    }

    @Test("switches protocols and carries bytes both ways, many at once")
    func commands() async throws {
        try await TunnelBed.withBed { bed in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let stream = try await bed.upgrade("/exec/default/web/main?command=cat")
                        let question = Array("hello \(number)".utf8)
                        try await stream.send(question)
                        var echo: [UInt8] = []
                        while echo.count < question.count, let bytes = try await stream.receive() { echo += bytes }
                        #expect(echo == question)
                        await stream.close()
                    }
                }
                try await group.waitForAll()
            }
            try await bed.untilNoStreamIsOpen()
        }
    }

    @Test("the node's status names the port that stands for its kubelet")
    func port() async throws {
        try await TunnelBed.withBed { bed in
            try await bed.api.wait { api in
                api.object(Resources.nodes, ObjectKey(name: "edge-1"))?.status["daemonEndpoints"]["kubeletEndpoint"]["Port"].int == 10399
            }
        }
    }
}
