import ContainerRuntime
import DevCluster
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct CRIRuntimeTests {
    @Test func `a pod runs, answers, ends with its exit code and leaves nothing`() async throws {
        try await ContainerdBed.withBed { bed in
            let runtime = bed.runtime
            let version = try await runtime.version()
            #expect(version.name == "containerd")
            let conditions = try await runtime.status()
            #expect(conditions.map(\.type).sorted() == ["NetworkReady", "RuntimeReady"])
            #expect(conditions.map(\.isTrue) == [true, true])
            let image = try #require(try await bed.busybox())

            var sandbox = SandboxPlan()
            sandbox.podName = "web"
            sandbox.podNamespace = "default"
            sandbox.podUID = UniqueID.next()
            sandbox.hostname = "web"
            sandbox.logDirectory = bed.directory + "/logs/web"
            sandbox.labels = ["io.kubernetes.pod.uid": sandbox.podUID]
            sandbox.cgroupParent = "/kubepods/besteffort/pod\(sandbox.podUID)"
            let sandboxID = try await runtime.runSandbox(sandbox)
            let state = try await runtime.sandbox(sandboxID)
            #expect(state.isReady)
            #expect(state.addresses.first?.hasPrefix("10.") == true)
            #expect(state.podUID == sandbox.podUID)

            var plan = ContainerPlan()
            plan.name = "main"
            plan.image = image.id
            plan.userImage = BusyboxImage.reference
            plan.command = ["/bin/sh", "-c", "trap 'exit 7' TERM; echo started $GREETING; while true; do sleep 0.05; done"]
            plan.environment = [("GREETING", "hello")]
            plan.logPath = "main/0.log"
            plan.labels = sandbox.labels
            let containerID = try await runtime.createContainer(plan, inSandbox: sandboxID, sandbox)
            try await runtime.startContainer(containerID)
            let phases = try await runtime.containers(ofPod: nil).map(\.phase)
            #expect(phases == [.running])

            let result = try await runtime.execute(["/bin/sh", "-c", "hostname; exit 3"], inContainer: containerID, timeout: .seconds(10))
            #expect(result == ExecutionResult(output: Array("web\n".utf8), errors: [], exitCode: 3))
            await #expect(throws: RuntimeFailure(code: .timedOut, message: "command \"/bin/sleep 60\" timed out")) {
                _ = try await runtime.execute(["/bin/sleep", "60"], inContainer: containerID, timeout: .seconds(1))
            }

            try await runtime.stopContainer(containerID, grace: .seconds(10))
            let ended = try await runtime.container(containerID)
            #expect(ended.phase == .exited)
            #expect(ended.exitCode == 7)
            #expect(ended.startedAt != nil && ended.finishedAt != nil)
            let log = String(decoding: try HostFile.read(sandbox.logDirectory + "/main/0.log"), as: UTF8.self)
            #expect(log.contains("stdout F started hello\n"))

            try await runtime.stopSandbox(sandboxID)
            try await runtime.removeSandbox(sandboxID)
            let rest = (try await runtime.sandboxes(ofPod: nil).count, try await runtime.containers(ofPod: nil).count)
            #expect(rest == (0, 0))
        }
    }

    @Test func `what is not there is an answer, and an end where the end is wanted`() async throws {
        try await ContainerdBed.withBed { bed in
            let runtime = bed.runtime
            let nothing = try await runtime.image("kubeedge.local/nothing:1")
            #expect(nothing == nil)
            do {
                _ = try await runtime.container("feed")
                Issue.record("a container that nobody made was found")
            } catch let failure as RuntimeFailure {
                #expect(failure.code == .notFound)
            }
            try await runtime.stopContainer("feed", grace: .zero)
            try await runtime.removeSandbox("feed")
        }
    }

    @Test func `a runtime that goes away is unavailable at once and used again when it is back`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.runtime.version()
            await bed.containerd.stop()
            do {
                _ = try await bed.runtime.sandboxes(ofPod: nil)
                Issue.record("a runtime that is not there answered")
            } catch let failure as RuntimeFailure {
                #expect(failure.code == .unavailable)
                #expect(failure.isRetryable)
            }
            try await bed.containerd.start()
            try await bed.eventually("the runtime answers again") { (try? await bed.runtime.version()) != nil }
        }
    }

    @Test func `thousands of quick calls go over one connection and none is lost`() async throws {
        try await ContainerdBed.withBed { bed in
            for _ in 0..<2000 { _ = try await bed.runtime.version() }
        }
    }
}
