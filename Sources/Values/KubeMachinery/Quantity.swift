/// A Kubernetes quantity, `1500m` or `64Mi`: an exact number of billionths, with the text it was read from.
package struct Quantity: Sendable {
    /// How a quantity is written.
    package enum Format: Sendable { case decimal, binary, exponent }

    /// The value in billionths.
    package let nanos: Int128
    package let format: Format
    /// The text that was read, or the canonical text of a computed quantity.
    package let text: String

    package init(nanos: Int128, format: Format) {
        self.nanos = nanos
        self.format = format
        text = Self.canonical(nanos, format)
    }

    package init(_ whole: Int64, format: Format = .decimal) { self.init(nanos: Int128(whole) * Self.billion, format: format) }
    package init(milli: Int64) { self.init(nanos: Int128(milli) * 1_000_000, format: .decimal) }

    package static let zero = Quantity(0)

    /// The smallest whole number that is not below the value, within 64 bits.
    package var value: Int64 { Self.clamped(Self.roundedUp(nanos, Self.billion)) }
    /// The smallest number of thousandths that is not below the value, within 64 bits.
    package var milliValue: Int64 { Self.clamped(Self.roundedUp(nanos, 1_000_000)) }
    package var isZero: Bool { nanos == 0 }
    package var isNegative: Bool { nanos < 0 }

    /// As the API server writes it: no fraction, the largest suffix that keeps the value exact.
    package var canonical: String { Self.canonical(nanos, format) }
}

extension Quantity: Hashable, Comparable {
    /// Equal values, however they are written.
    package static func == (left: Quantity, right: Quantity) -> Bool { left.nanos == right.nanos }
    package static func < (left: Quantity, right: Quantity) -> Bool { left.nanos < right.nanos }
    package func hash(into hasher: inout Hasher) { hasher.combine(nanos) }

    /// The sum, in the format of the left side (of the right where the left is zero), within the limits of a quantity.
    package static func + (left: Quantity, right: Quantity) -> Quantity {
        Quantity(nanos: limited(left.nanos + right.nanos), format: left.isZero ? right.format : left.format)
    }

    package static func - (left: Quantity, right: Quantity) -> Quantity {
        Quantity(nanos: limited(left.nanos - right.nanos), format: left.isZero ? right.format : left.format)
    }
}

extension Quantity {
    fileprivate static let billion: Int128 = 1_000_000_000
    /// Larger values are cut to this, as Kubernetes cuts them: 2^63 − 1.
    private static let largest = Int128(Int64.max) * billion
    private static let decimalSuffixes: [(suffix: String, scale: Int128)] = [
        ("n", 1), ("u", 1000), ("m", 1_000_000), ("", billion), ("k", billion * 1000), ("M", billion * 1_000_000), ("G", billion * billion),
        ("T", billion * billion * 1000), ("P", billion * billion * 1_000_000), ("E", billion * billion * billion),
    ]
    private static let binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]

    /// Reads a quantity: sign, digits, fraction, then a suffix `n u m k M G T P E`, `Ki…Ei` or an exponent; nil for anything else.
    ///
    /// What is finer than a billionth is rounded away from zero.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        var index = 0
        var isNegative = false
        if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            index = 1
        }
        var digits: [UInt8] = []
        var fraction = 0
        var sawPoint = false
        scan: while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(bytes[index] - UInt8(ascii: "0"))
                if sawPoint { fraction += 1 }
            case UInt8(ascii: ".") where !sawPoint: sawPoint = true
            default: break scan
            }
            index += 1
        }
        guard !digits.isEmpty, digits.count <= 64 else { return nil }
        guard let (scale, exponent, format) = Self.unit(String(decoding: bytes[index...], as: UTF8.self)) else { return nil }
        let magnitude = Self.scaled(digits, by: scale, exponent: exponent - fraction)
        self.nanos = isNegative ? -magnitude : magnitude
        self.format = format
        self.text = text
    }

    /// The factor in billionths, a power of ten on top of it, and the format of a suffix.
    private static func unit(_ suffix: String) -> (scale: Int128, exponent: Int, format: Format)? {
        if let found = decimalSuffixes.first(where: { $0.suffix == suffix }) { return (found.scale, 0, .decimal) }
        if let power = binarySuffixes.firstIndex(of: suffix) { return (billion << Int128(10 * power), 0, .binary) }
        guard suffix.first == "e" || suffix.first == "E", let exponent = Int(suffix.dropFirst()), abs(exponent) <= 64 else { return nil }
        return (billion, exponent, .exponent)
    }

    private static func scaled(_ digits: [UInt8], by scale: Int128, exponent: Int) -> Int128 {
        var digits = digits[...].drop { $0 == 0 }
        var lost = false
        var exponent = exponent
        // Thirty digits hold any value in range; what follows can only round.
        while digits.count > 19, exponent < 0 {
            lost = lost || digits.last != 0
            digits = digits.dropLast()
            exponent += 1
        }
        var value: Int128 = 0
        for digit in digits {
            value = value * 10 + Int128(digit)
            if value > largest { return largest }
        }
        let (product, overflow) = value.multipliedReportingOverflow(by: scale)
        guard !overflow else { return exponent >= 0 ? largest : min(largest, divided(value, exponent, scale, lost)) }
        value = product
        while exponent > 0, value > 0 {
            value *= 10
            exponent -= 1
            if value > largest { return largest }
        }
        while exponent < 0 {
            lost = lost || value % 10 != 0
            value /= 10
            exponent += 1
        }
        return min(lost ? value + 1 : value, largest)
    }

    /// The value where the product with the scale does not fit: divide first.
    private static func divided(_ value: Int128, _ exponent: Int, _ scale: Int128, _ lost: Bool) -> Int128 {
        var value = value
        for _ in 0..<(-exponent) { value /= 10 }
        let (product, overflow) = value.multipliedReportingOverflow(by: scale)
        return overflow ? largest : product
    }

    private static func canonical(_ nanos: Int128, _ format: Format) -> String {
        if nanos == 0 { return "0" }
        if format == .binary, nanos.magnitude >= UInt128(1024 * billion) {
            var whole = roundedUp(nanos, billion)
            var power = 0
            while whole % 1024 == 0, power + 1 < binarySuffixes.count {
                whole /= 1024
                power += 1
            }
            return "\(whole)\(binarySuffixes[power])"
        }
        var value = nanos
        var index = 0
        while value % 1000 == 0, index + 1 < decimalSuffixes.count {
            value /= 1000
            index += 1
        }
        if format == .exponent { return index == 3 ? "\(value)" : "\(value)e\(3 * (index - 3))" }
        return "\(value)\(decimalSuffixes[index].suffix)"
    }

    /// Division that rounds away from zero.
    private static func roundedUp(_ value: Int128, _ divisor: Int128) -> Int128 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder == 0 ? quotient : quotient + (value < 0 ? -1 : 1)
    }

    private static func clamped(_ value: Int128) -> Int64 { Int64(clamping: value) }
    private static func limited(_ value: Int128) -> Int128 { max(-largest, min(value, largest)) }
}
