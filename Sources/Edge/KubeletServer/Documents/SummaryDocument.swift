import PodCore
import Primitives

/// `/stats/summary` (`spec/05 §27.1`): everything but names and times only where it is known.
enum SummaryDocument {
    static func document(_ usage: NodeUsage) -> JSONValue {
        var node: JSONValue = ["nodeName": .string(usage.nodeName)]
        if !usage.systemContainers.isEmpty {
            node["systemContainers"] = .array(usage.systemContainers.map { container($0, at: usage.time) })
        }
        node["startTime"] = time(usage.startTime)
        add(usage.processor, usage.memory, to: &node, at: usage.time)
        node.setMember("network", usage.network.map { network($0, at: usage.time) })
        node.setMember("fs", usage.filesystem.map { filesystem($0, at: usage.time) })
        if let images = usage.imageFilesystem { node["runtime"] = ["imageFs": filesystem(images, at: usage.time)] }
        if usage.maximumProcesses != nil || usage.processes != nil {
            var limit: JSONValue = ["time": .string(usage.time.rfc3339)]
            put(usage.maximumProcesses, "maxpid", &limit)
            put(usage.processes, "curproc", &limit)
            node["rlimit"] = limit
        }
        return ["node": node, "pods": .array(usage.pods.map { pod($0, at: usage.time) })]
    }

    private static func pod(_ usage: PodUsage, at moment: Timestamp) -> JSONValue {
        var pod: JSONValue = [
            "podRef": ["name": .string(usage.key.name), "namespace": .string(usage.key.namespace ?? ""), "uid": .string(usage.uid)],
            "startTime": time(usage.startTime), "containers": .array(usage.containers.map { container($0, at: moment) }),
        ]
        add(usage.processor, usage.memory, to: &pod, at: moment)
        pod.setMember("network", usage.network.map { network($0, at: moment) })
        if !usage.volumes.isEmpty {
            pod["volume"] = .array(
                usage.volumes.map { volume in
                    var entry = filesystem(volume.filesystem, at: moment)
                    entry["name"] = .string(volume.name)
                    if let claim = volume.claim {
                        entry["pvcRef"] = ["name": .string(claim.name), "namespace": .string(claim.namespace ?? "")]
                    }
                    return entry
                })
        }
        pod.setMember("ephemeral-storage", usage.ephemeralStorage.map { filesystem($0, at: moment) })
        if let count = usage.processes { pod["process_stats"] = ["process_count": integer(count)] }
        return pod
    }

    private static func container(_ usage: ContainerUsage, at moment: Timestamp) -> JSONValue {
        var container: JSONValue = ["name": .string(usage.name), "startTime": time(usage.startTime)]
        add(usage.processor, usage.memory, to: &container, at: moment)
        container.setMember("rootfs", usage.layer.map { filesystem($0, at: moment) })
        container.setMember("logs", usage.logs.map { filesystem($0, at: moment) })
        return container
    }

    private static func add(_ processor: ProcessorUsage, _ memory: MemoryUsage, to entry: inout JSONValue, at moment: Timestamp) {
        if processor.nanoCores != nil || processor.nanoseconds != nil {
            var cpu: JSONValue = ["time": .string(moment.rfc3339)]
            put(processor.nanoCores, "usageNanoCores", &cpu)
            put(processor.nanoseconds, "usageCoreNanoSeconds", &cpu)
            entry["cpu"] = cpu
        }
        if memory.usage != nil || memory.workingSet != nil || memory.available != nil {
            var figures: JSONValue = ["time": .string(moment.rfc3339)]
            put(memory.available, "availableBytes", &figures)
            put(memory.usage, "usageBytes", &figures)
            put(memory.workingSet, "workingSetBytes", &figures)
            put(memory.resident, "rssBytes", &figures)
            put(memory.pageFaults, "pageFaults", &figures)
            put(memory.majorPageFaults, "majorPageFaults", &figures)
            entry["memory"] = figures
        }
        if memory.swapUsage != nil || memory.swapAvailable != nil {
            var swap: JSONValue = ["time": .string(moment.rfc3339)]
            put(memory.swapAvailable, "swapAvailableBytes", &swap)
            put(memory.swapUsage, "swapUsageBytes", &swap)
            entry["swap"] = swap
        }
    }

    private static func filesystem(_ usage: FilesystemUsage, at moment: Timestamp) -> JSONValue {
        var entry: JSONValue = ["time": .string(moment.rfc3339)]
        put(usage.available, "availableBytes", &entry)
        put(usage.capacity, "capacityBytes", &entry)
        put(usage.used, "usedBytes", &entry)
        put(usage.inodesFree, "inodesFree", &entry)
        put(usage.inodes, "inodes", &entry)
        put(usage.inodesUsed, "inodesUsed", &entry)
        return entry
    }

    private static func network(_ usage: NetworkUsage, at moment: Timestamp) -> JSONValue {
        let interfaces = usage.interfaces.map { interface -> JSONValue in
            [
                "name": .string(interface.name), "rxBytes": integer(interface.receivedBytes), "rxErrors": integer(interface.receiveErrors),
                "txBytes": integer(interface.sentBytes), "txErrors": integer(interface.sendErrors),
            ]
        }
        var entry: JSONValue = ["time": .string(moment.rfc3339)]
        for (key, value) in interfaces.first?.members ?? [:] { entry[key] = value }
        entry["interfaces"] = .array(interfaces)
        return entry
    }

    private static func time(_ moment: Timestamp?) -> JSONValue { moment.map { .string($0.rfc3339) } ?? .null }

    private static func put(_ value: UInt64?, _ key: String, _ entry: inout JSONValue) { if let value { entry[key] = integer(value) } }

    /// Beyond 64 signed bits as digits.
    private static func integer(_ value: UInt64) -> JSONValue { Int64(exactly: value).map { .integer($0) } ?? .decimal(String(value)) }
}
