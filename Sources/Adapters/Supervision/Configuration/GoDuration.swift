/// Durations as Go writes them in configurations: `1m0s`, `100ms`, `1h30m`, `-1.5h`.
package enum GoDuration {
    /// Reads a duration; nil for anything Go would refuse and for what does not fit 64 bits of nanoseconds.
    package static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest.dropFirst(unit.count)
            guard number != ".", let value = Double(number.hasPrefix(".") ? "0\(number)" : number.hasSuffix(".") ? "\(number)0" : String(number)),
                let scale = nanoseconds[String(unit)]
            else { return nil }
            total += value * scale
        }
        guard let count = Int64(exactly: total.rounded()) else { return nil }
        return .nanoseconds(isNegative ? -count : count)
    }

    private static let nanoseconds: [String: Double] = [
        "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
    ]
}
