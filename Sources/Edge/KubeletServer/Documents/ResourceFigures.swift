import PodCore
import Primitives

/// `/metrics/resource` (`spec/05 §27.3`): what autoscalers read.
enum ResourceFigures {
    /// When nothing could be measured.
    static let failed = """
        # HELP scrape_error 1 if there was an error while getting container metrics, 0 otherwise
        # TYPE scrape_error gauge
        scrape_error 1

        """

    static func text(_ usage: NodeUsage) -> String {
        var text = ExpositionText()
        let time = usage.time
        func containers(_ name: String, _ kind: ExpositionText.Kind, _ help: String, _ value: (ContainerUsage) -> Double?) {
            text.family(name, kind, help) { family in
                for pod in usage.pods {
                    for container in pod.containers {
                        family.sample(
                            ["container": container.name, "namespace": pod.key.namespace ?? "", "pod": pod.key.name], value(container), at: time)
                    }
                }
            }
        }
        func pods(_ name: String, _ kind: ExpositionText.Kind, _ help: String, _ value: (PodUsage) -> Double?) {
            text.family(name, kind, help) { family in
                for pod in usage.pods { family.sample(["namespace": pod.key.namespace ?? "", "pod": pod.key.name], value(pod), at: time) }
            }
        }
        containers("container_cpu_usage_seconds_total", .counter, "Cumulative cpu time consumed by the container in core-seconds") {
            $0.processor.nanoseconds?.seconds
        }
        containers("container_memory_working_set_bytes", .gauge, "Current working set of the container in bytes") {
            $0.memory.workingSet?.sample
        }
        containers("container_start_time_seconds", .gauge, "Start time of the container since unix epoch in seconds") { container in
            container.startTime.map { Double($0.seconds) + Double($0.nanoseconds) / 1e9 }
        }
        containers("container_swap_usage_bytes", .gauge, "Current amount of the container swap usage in bytes") { $0.memory.swapUsage?.sample }
        text.family("node_cpu_usage_seconds_total", .counter, "Cumulative cpu time consumed by the node in core-seconds") {
            $0.sample([:], usage.processor.nanoseconds?.seconds, at: time)
        }
        text.family("node_memory_working_set_bytes", .gauge, "Current working set of the node in bytes") {
            $0.sample([:], usage.memory.workingSet?.sample, at: time)
        }
        text.family("node_swap_usage_bytes", .gauge, "Current swap usage of the node in bytes") {
            $0.sample([:], usage.memory.swapUsage?.sample, at: time)
        }
        pods("pod_cpu_usage_seconds_total", .counter, "Cumulative cpu time consumed by the pod in core-seconds") {
            $0.processor.nanoseconds?.seconds
        }
        pods("pod_memory_working_set_bytes", .gauge, "Current working set of the pod in bytes") { $0.memory.workingSet?.sample }
        pods("pod_swap_usage_bytes", .gauge, "Current amount of the pod swap usage in bytes") { $0.memory.swapUsage?.sample }
        text.family("scrape_error", .gauge, "1 if there was an error while getting container metrics, 0 otherwise") { $0.sample([:], 0) }
        return text.text
    }
}
