import Synchronization

/// Numbers of this process in the text format of Prometheus.
///
/// Names and labels are made by this house; a number of series per name is the caller's to bound.
package final class MetricsRegistry: Sendable {
    enum Kind: String, Sendable { case counter, gauge, histogram }

    struct Family: Sendable {
        var kind: Kind
        var help: String
        var buckets: [Double] = []
        var series: [String: Series] = [:]
    }

    struct Series: Sendable {
        var value = 0.0
        var counts: [UInt64] = []
        var count: UInt64 = 0
    }

    let families = Mutex<[String: Family]>([:])

    package init() {}

    /// A number that only grows.
    package func counter(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Metric {
        metric(name, .counter, help, labels, [])
    }

    /// A number that goes up and down.
    package func gauge(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Metric {
        metric(name, .gauge, help, labels, [])
    }

    /// How observations spread over upper bounds, in seconds unless the name says otherwise.
    package func histogram(
        _ name: String, help: String, buckets: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
        labels: KeyValuePairs<String, String> = [:]
    ) -> Metric {
        metric(name, .histogram, help, labels, buckets.sorted())
    }

    /// The whole registry as Prometheus reads it, in order of the names.
    package var text: String {
        let families = families.withLock { $0 }
        return families.sorted { $0.key < $1.key }.map { Self.text(name: $0.key, $0.value) }.joined()
    }

    private func metric(
        _ name: String, _ kind: Kind, _ help: String, _ labels: KeyValuePairs<String, String>, _ buckets: [Double]
    ) -> Metric {
        let key = labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
        families.withLock { families in
            var family = families[name] ?? Family(kind: kind, help: help, buckets: buckets)
            precondition(family.kind == kind, "metric \(name) is a \(family.kind), not a \(kind)")
            if family.series[key] == nil { family.series[key] = Series(counts: Array(repeating: 0, count: family.buckets.count)) }
            families[name] = family
        }
        return Metric(registry: self, name: name, series: key)
    }

    func change(_ name: String, _ series: String, _ body: (inout Series, [Double]) -> Void) {
        families.withLock { families in
            guard let buckets = families[name]?.buckets else { return }
            body(&families[name, default: Family(kind: .gauge, help: "")].series[series, default: Series()], buckets)
        }
    }

    private static func text(name: String, _ family: Family) -> String {
        var text = "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind.rawValue)\n"
        for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
            let braces = { (extra: String) in
                let all = [labels, extra].filter { !$0.isEmpty }.joined(separator: ",")
                return all.isEmpty ? "" : "{\(all)}"
            }
            guard family.kind == .histogram else {
                text += "\(name)\(braces("")) \(number(series.value))\n"
                continue
            }
            for (bound, count) in zip(family.buckets, series.counts) {
                text += "\(name)_bucket\(braces("le=\"\(number(bound))\"")) \(count)\n"
            }
            text += "\(name)_bucket\(braces("le=\"+Inf\"")) \(series.count)\n"
            text += "\(name)_sum\(braces("")) \(number(series.value))\n\(name)_count\(braces("")) \(series.count)\n"
        }
        return text
    }

    private static func number(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return String(whole) }
        return value.isNaN ? "NaN" : value.isInfinite ? (value > 0 ? "+Inf" : "-Inf") : "\(value)"
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}

/// One series of a registry, to be kept where it is counted.
package struct Metric: Sendable {
    let registry: MetricsRegistry
    let name: String
    let series: String

    /// Adds to a counter or gauge.
    package func add(_ amount: Double = 1) { registry.change(name, series) { series, _ in series.value += amount } }

    /// Sets a gauge.
    package func set(_ value: Double) { registry.change(name, series) { series, _ in series.value = value } }

    /// Counts an observation of a histogram.
    package func observe(_ value: Double) {
        registry.change(name, series) { series, buckets in
            for (index, bound) in buckets.enumerated() where value <= bound { series.counts[index] += 1 }
            series.count += 1
            series.value += value
        }
    }
}
