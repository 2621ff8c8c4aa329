import Glibc
import PodCore
import Primitives

/// `/metrics/cadvisor` (`spec/05 §27.4`): containers, pods and the machine under the names that dashboards know.
struct ContainerFigures {
    private let usage: NodeUsage
    private let images: [String: String]
    private var text = ExpositionText()

    /// - Parameter images: By container ID.
    static func text(_ usage: NodeUsage, images: [String: String]) -> String {
        var figures = ContainerFigures(usage: usage, images: images)
        figures.addContainers()
        figures.addPods()
        figures.addMachine()
        return figures.text.text
    }

    private init(usage: NodeUsage, images: [String: String]) {
        self.usage = usage
        self.images = images
    }

    private mutating func containers(_ name: String, _ kind: ExpositionText.Kind, _ help: String, _ value: (ContainerUsage) -> Double?) {
        text.family(name, kind, help) { family in
            for pod in usage.pods {
                for container in pod.containers {
                    family.sample(
                        [
                            "container": container.name, "id": container.id, "image": images[container.id] ?? "", "name": container.id,
                            "namespace": pod.key.namespace ?? "", "pod": pod.key.name,
                        ], value(container), at: usage.time)
                }
            }
            for container in usage.systemContainers {
                family.sample(
                    ["container": "", "id": "/\(container.name)", "image": "", "name": "", "namespace": "", "pod": ""], value(container),
                    at: usage.time)
            }
        }
    }

    private mutating func addContainers() {
        containers("container_cpu_usage_seconds_total", .counter, "Cumulative cpu time consumed in seconds.") {
            $0.processor.nanoseconds?.seconds
        }
        containers("container_fs_inodes_total", .gauge, "Number of Inodes") { $0.layer?.inodes?.sample }
        containers("container_fs_usage_bytes", .gauge, "Number of bytes that are consumed by the container on this filesystem.") {
            $0.layer?.used?.sample
        }
        containers("container_memory_rss", .gauge, "Size of RSS in bytes.") { $0.memory.resident?.sample }
        containers("container_memory_swap", .gauge, "Container swap usage in bytes.") { $0.memory.swapUsage?.sample }
        containers("container_memory_usage_bytes", .gauge, "Current memory usage in bytes, including all memory regardless of when it was accessed") {
            $0.memory.usage?.sample
        }
        containers("container_memory_working_set_bytes", .gauge, "Current working set in bytes.") { $0.memory.workingSet?.sample }
        containers("container_start_time_seconds", .gauge, "Start time of the container since unix epoch in seconds.") {
            $0.startTime.map { Double($0.seconds) }
        }
    }

    private mutating func addPods() {
        let figures: [(String, String, (NetworkUsage.Interface) -> UInt64)] = [
            ("container_network_receive_bytes_total", "Cumulative count of bytes received", \.receivedBytes),
            ("container_network_receive_errors_total", "Cumulative count of errors encountered while receiving", \.receiveErrors),
            ("container_network_transmit_bytes_total", "Cumulative count of bytes transmitted", \.sentBytes),
            ("container_network_transmit_errors_total", "Cumulative count of errors encountered while transmitting", \.sendErrors),
        ]
        for (name, help, value) in figures {
            text.family(name, .counter, help) { family in
                for pod in usage.pods {
                    for interface in pod.network?.interfaces ?? [] {
                        family.sample(
                            [
                                "container": "", "id": "/pod\(pod.uid)", "image": "", "interface": interface.name, "name": "",
                                "namespace": pod.key.namespace ?? "", "pod": pod.key.name,
                            ], value(interface).sample, at: usage.time)
                    }
                }
            }
        }
    }

    private mutating func addMachine() {
        text.family("machine_cpu_cores", .gauge, "Number of logical CPU cores.") { $0.sample([:], Double(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
        let bytes = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
        text.family("machine_memory_bytes", .gauge, "Amount of memory installed on the machine.") { $0.sample([:], bytes) }
    }
}
