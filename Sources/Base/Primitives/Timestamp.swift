/// A point in civil time (UTC) with nanoseconds, written as Kubernetes writes it.
package struct Timestamp: Sendable, Hashable, Comparable {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    package var seconds: Int64
    /// Nanoseconds within the second, 0 to 999 999 999.
    package var nanoseconds: Int32

    package init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    package init(milliseconds: Int64) {
        let seconds = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        self.init(seconds: seconds, nanoseconds: Int32((milliseconds - seconds * 1000) * 1_000_000))
    }

    package var milliseconds: Int64 { seconds * 1000 + Int64(nanoseconds) / 1_000_000 }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    package static func + (time: Timestamp, duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = Int64(time.nanoseconds) + attoseconds / 1_000_000_000
        let carry = nanoseconds >= 0 ? nanoseconds / 1_000_000_000 : (nanoseconds - 999_999_999) / 1_000_000_000
        return Timestamp(seconds: time.seconds + seconds + carry, nanoseconds: Int32(nanoseconds - carry * 1_000_000_000))
    }

    package static func - (left: Timestamp, right: Timestamp) -> Duration {
        .seconds(left.seconds - right.seconds) + .nanoseconds(Int64(left.nanoseconds) - Int64(right.nanoseconds))
    }
}

extension Timestamp {
    /// `2024-06-01T10:00:00Z`, Kubernetes' `Time`.
    package var rfc3339: String {
        let (date, time) = civil
        return "\(date)T\(time)Z"
    }

    /// `2024-06-01T10:00:00.000000Z`, Kubernetes' `MicroTime`.
    package var rfc3339Micro: String {
        let (date, time) = civil
        return "\(date)T\(time).\(Self.padded(Int64(nanoseconds) / 1000, 6))Z"
    }

    /// `2024-06-01T10:00:00.123456789Z`; trailing zeros of the fraction are left out, as Go's RFC3339Nano does.
    package var rfc3339Nano: String {
        guard nanoseconds != 0 else { return rfc3339 }
        let (date, time) = civil
        var fraction = Self.padded(Int64(nanoseconds), 9)
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(date)T\(time).\(fraction)Z"
    }

    private var civil: (date: String, time: String) {
        let days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
        let second = seconds - days * 86400
        // Days to year, month, day with years that begin in March (the last day of such a year is the leap day).
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (
            "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))",
            "\(Self.padded(second / 3600, 2)):\(Self.padded(second % 3600 / 60, 2)):\(Self.padded(second % 60, 2))"
        )
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Reads RFC 3339 with any fraction and offset; nil for anything else.
    package init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            return value
        }
        func has(_ character: Character, _ index: Int) -> Bool { index < bytes.count && bytes[index] == character.asciiValue }
        guard let year = number(0..<4), has("-", 4), let month = number(5..<7), has("-", 7), let day = number(8..<10),
            has("T", 10) || has("t", 10) || has(" ", 10), let hour = number(11..<13), has(":", 13), let minute = number(14..<16), has(":", 16),
            let second = number(17..<19), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var index = 19
        var nanoseconds: Int64 = 0
        if has(".", index) {
            index += 1
            var scale: Int64 = 100_000_000
            let start = index
            while index < bytes.count, (48...57).contains(bytes[index]) {
                nanoseconds += Int64(bytes[index] - 48) * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        var offset: Int64 = 0
        if has("Z", index) || has("z", index) {
            index += 1
        } else if has("+", index) || has("-", index) {
            guard let hours = number(index + 1..<index + 3), has(":", index + 3), let minutes = number(index + 4..<index + 6) else { return nil }
            offset = (has("-", index) ? -1 : 1) * (hours * 3600 + minutes * 60)
            index += 6
        } else {
            return nil
        }
        guard index == bytes.count else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        self.init(seconds: days * 86400 + hour * 3600 + minute * 60 + second - offset, nanoseconds: Int32(nanoseconds))
    }
}
