import ContainerRuntime
import EdgeTesting
import Glibc
import KubeMachinery
import Logging
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct UsageTests {
    @Test func `a pod's usage comes from its group, its containers, its network and its directories`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let kubelet = try UsageBed(bed)
        try kubelet.useMemory(300)
        try kubelet.write("0.24 0.94 1.24 1/101 22822\n", kubelet.proc + "/loadavg")
        try kubelet.write("32768\n", kubelet.proc + "/sys/kernel/pid_max")
        try await kubelet.running {
            let pod = makePod(
                "web", ["volumes": [["name": "scratch", "emptyDir": [:]]]],
                container: ["volumeMounts": [["name": "scratch", "mountPath": "/scratch"]]])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            var stats = ContainerStatistics(id: "", name: "web-main")
            stats.processor.nanoseconds = 5_000_000_000
            stats.memory.workingSet = 7 << 20
            stats.layerBytes = 4096
            await bed.runtime.use("web-main", stats)
            let group = "/edged-test/kubepods/besteffort/poduid-web"
            try kubelet.write("1000000000\n", kubelet.cgroup + "/cpuacct\(group)/cpuacct.usage")
            try kubelet.write("20971520\n", kubelet.cgroup + "/memory\(group)/memory.usage_in_bytes")
            try kubelet.write("33554432\n", kubelet.cgroup + "/memory\(group)/memory.limit_in_bytes")
            try kubelet.write("total_inactive_file 5242880\ntotal_rss 1048576\n", kubelet.cgroup + "/memory\(group)/memory.stat")
            try kubelet.write("77\n", kubelet.cgroup + "/memory\(group)/cgroup.procs")
            try kubelet.write("78\n79\n", kubelet.cgroup + "/memory\(group)/abc/cgroup.procs")
            let head = "Inter-|   Receive\n face |bytes\n"
            try kubelet.write(
                head + "    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 1500 3 2 0 0 0 0 0 700 4 1 0 0 0 0 0\n", kubelet.proc + "/77/net/dev")
            let volume = bed.configuration.rootDirectory + "/pods/uid-web/volumes/kubernetes.io~empty-dir/scratch"
            try HostFiles.create([UInt8](repeating: 1, count: 100_000), at: volume + "/data", mode: 0o644)

            let first = try await kubelet.usage()
            #expect(first.memory.workingSet == 300 << 20 && first.memory.available == 700 << 20)
            #expect(first.maximumProcesses == 32768 && first.processes == 101)
            let usage = try #require(first.pods.first)
            #expect(usage.uid == "uid-web" && usage.processes == 3)
            #expect(usage.memory.workingSet == 15 << 20 && usage.memory.available == 17 << 20 && usage.memory.resident == 1 << 20)
            #expect(usage.network?.interfaces.map(\.name) == ["eth0"])
            #expect(usage.network?.interfaces.first?.receivedBytes == 1500 && usage.network?.interfaces.first?.sendErrors == 1)
            let container = try #require(usage.containers.first)
            #expect(container.name == "web-main" && container.memory.workingSet == 7 << 20 && container.layer?.used == 4096)
            #expect(container.startTime != nil && container.logs?.used != nil)
            let scratch = try #require(usage.volumes.first?.filesystem.used)
            #expect((100_000...200_000).contains(scratch))
            #expect(usage.ephemeralStorage?.used == scratch + 4096 + (container.logs?.used ?? 0))
            #expect(first.filesystem?.capacity != nil)

            try kubelet.write("2000000000\n", kubelet.cgroup + "/cpuacct\(group)/cpuacct.usage")
            stats.processor.nanoseconds = 5_500_000_000
            await bed.runtime.use("web-main", stats)
            await bed.pass(.seconds(2))
            let second = try await kubelet.usage(onlyProcessorAndMemory: true)
            let rates = [second.pods[0].processor.nanoCores ?? 0, second.pods[0].containers[0].processor.nanoCores ?? 0]
            #expect((300_000_000...510_000_000).contains(rates[0]) && (150_000_000...255_000_000).contains(rates[1]))
            #expect(second.pods[0].volumes.isEmpty && second.filesystem == nil)
        }
    }

    @Test func `a runtime that does not answer leaves the figures of the groups`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let kubelet = try UsageBed(bed, isVersionTwo: true)
        try kubelet.write("MemTotal: 1024000 kB\nMemFree: 724000 kB\n", kubelet.proc + "/meminfo")
        try kubelet.write("inactive_file 0\nanon 5\n", kubelet.cgroup + "/memory.stat")
        try kubelet.write("usage_usec 1234\nuser_usec 1\n", kubelet.cgroup + "/cpu.stat")
        try kubelet.write("4194304\n", kubelet.cgroup + "/edged-test/kubepods/memory.current")
        try kubelet.write("max\n", kubelet.cgroup + "/edged-test/kubepods/memory.max")
        await bed.runtime.fail("containerStatistics", RuntimeFailure(code: .unavailable, message: "away"))
        let usage = try await kubelet.usage()
        #expect(usage.memory.usage == 300_000 << 10 && usage.processor.nanoseconds == 1_234_000)
        #expect(usage.systemContainers.map(\.name) == ["kubelet", "pods"])
        #expect(usage.systemContainers[1].memory.workingSet == 4 << 20)
        #expect(usage.systemContainers[0].memory.resident == nil || usage.systemContainers[0].memory.resident ?? 0 > 0)
    }

    @Test func `a walk counts hard links once, follows no link and stays within its bound`() async throws {
        let directory = "/tmp/edged-walk-\(UniqueID.next())"
        let own = try OwnDirectory("/tmp")
        defer { try? own.remove(String(directory.dropFirst(5))) }
        try own.makeDirectory(String(directory.dropFirst(5)) + "/deep/er")
        try HostFiles.create([UInt8](repeating: 1, count: 65536), at: directory + "/deep/er/file", mode: 0o644)
        let alone = try #require(await DirectoryUsage.measure(directory))
        link(directory + "/deep/er/file", directory + "/again")
        symlink("/usr", directory + "/usr")
        let linked = try #require(await DirectoryUsage.measure(directory))
        #expect(alone.inodes == 4 && linked.inodes == 5)
        #expect(alone.bytes >= 65536 && linked.bytes - alone.bytes < 8192)
        for number in 0..<20 { try HostFiles.create([], at: directory + "/\(number)", mode: 0o644) }
        #expect(await DirectoryUsage.measure(directory, limit: 10)?.inodes == 10)
        #expect(await DirectoryUsage.measure(directory + "/nothing") == nil)
    }

    @Test func `the node's groups hold what the pods may take together, and burstable ones what they ask for`() async throws {
        for isVersionTwo in [false, true] {
            let bed = try KubeletBed()
            defer { bed.clean() }
            let kubelet = try UsageBed(bed, isVersionTwo: isVersionTwo)
            try kubelet.write("4096\n", kubelet.proc + "/sys/kernel/pid_max")
            func path(_ controller: String, _ group: String, _ file: String) -> String {
                "\(kubelet.cgroup)\(isVersionTwo ? "" : "/" + controller)/edged-test/kubepods\(group)/\(file)"
            }
            let shares = isVersionTwo ? "cpu.weight" : "cpu.shares"
            let memory = isVersionTwo ? "memory.max" : "memory.limit_in_bytes"
            let files = [
                path("cpu", "", shares), path("cpu", "/burstable", shares), path("cpu", "/besteffort", shares), path("memory", "", memory),
                path("pids", "", "pids.max"), path("cpu", "/burstable/poduid-web", shares), path("memory", "/burstable/poduid-web", memory),
            ]
            for file in files { try kubelet.write("", file) }
            try await kubelet.running {
                // That of best-effort pods comes last.
                try await bed.eventually("the groups are made") { HostFiles.text(files[2]) == (isVersionTwo ? "1" : "2") }
                #expect(HostFiles.text(files[3]) == "\(MachineReader().memory)")
                #expect(HostFiles.text(files[4]) == "4096")
                let cores = MachineReader().cores * 1024
                #expect(HostFiles.text(files[0]) == (isVersionTwo ? "\(1 + (cores - 2) * 9999 / 262_142)" : "\(cores)"))
                let pod = makePod("web", container: ["resources": ["requests": ["cpu": "250m"], "limits": ["memory": "64Mi"]]])
                await bed.backend.start([pod])
                try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
                let wanted = isVersionTwo ? "10" : "256"
                try await bed.eventually("its own group has its limits") { HostFiles.text(files[6]) == "67108864" }
                try await bed.eventually("burstable pods have their share") { HostFiles.text(files[1]) == wanted }
                #expect(HostFiles.text(files[5]) == wanted)
                // The kernel's files do not keep the end of what was written before.
                try kubelet.write("", files[1])
                await bed.backend.delete(pod.uid, grace: 0)
                try await bed.eventually("the share goes with the pod") { HostFiles.text(files[1]) == (isVersionTwo ? "1" : "2") }
            }
        }
    }

    @Test func `what an unknown pod left in the groups goes, whatever its class was`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let kubelet = try UsageBed(bed)
        let own = try OwnDirectory(bed.configuration.rootDirectory)
        try own.makeDirectory("pods/gone/volumes")
        let groups = ["", "/burstable", "/besteffort"].map { kubelet.cgroup + "/memory/edged-test/kubepods\($0)" }
        for group in groups { for pod in ["gone", "stranger"] { try OwnDirectory(group + "/pod\(pod)").makeDirectory() } }
        try await kubelet.running {
            await bed.backend.start()
            try await bed.eventually("the groups are gone") { !groups.contains { HostFiles.exists($0 + "/podgone") } }
            #expect(groups.allSatisfy { HostFiles.exists($0 + "/podstranger") })
        }
    }

    @Test func `the kernel's log is read from now on, one record at a time`() throws {
        let path = "/tmp/edged-kmsg-\(UniqueID.next())"
        let record = "6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/,task=old,pid=1,uid=0\n"
        try HostFiles.create(Array(record.utf8), at: path, mode: 0o600)
        defer { unlink(path) }
        let log = try #require(KernelLog(path))
        #expect(log.killed().isEmpty)
        let file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(file) }
        let news = Array(record.utf8)
        #expect(write(file, news, news.count) == news.count)
        #expect(log.killed().map(\.process) == ["old"])
        #expect(log.killed().isEmpty)
        #expect(KernelLog("/nothing/here") == nil)
    }
}
