/// `$(NAME)` in commands, arguments and values of variables (`spec/05 §18.6`).
package enum VariableExpansion {
    /// Puts in what `variables` knows; `$$` stands for one `$`, what is unknown or unfinished stays as it is.
    package static func expand(_ text: String, _ variables: (String) -> String?) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "$"), index + 1 < bytes.count else {
                result.append(bytes[index])
                index += 1
                continue
            }
            switch bytes[index + 1] {
            case UInt8(ascii: "$"):
                result.append(UInt8(ascii: "$"))
                index += 2
            case UInt8(ascii: "("):
                guard let end = bytes[index...].firstIndex(of: UInt8(ascii: ")")) else {
                    result += bytes[index..<index + 2]
                    index += 2
                    continue
                }
                let name = String(decoding: bytes[index + 2..<end], as: UTF8.self)
                result += variables(name).map { Array($0.utf8) } ?? Array(bytes[index...end])
                index = end + 1
            default:
                result += bytes[index..<index + 2]
                index += 2
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The names that `text` refers to and `variables` does not know.
    static func unknown(in text: String, _ variables: (String) -> String?) -> [String] {
        var names: [String] = []
        _ = expand(text) { name in
            if let value = variables(name) { return value }
            names.append(name)
            return nil
        }
        return names
    }
}
