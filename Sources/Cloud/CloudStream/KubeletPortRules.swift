/// The rules of the kernel's address translation that lead the ports that stand for kubelets to cloudcores (`spec/01 §9.7`).
///
///     API server ──▶ <edge node>:10351 ──(nat: OUTPUT, PREROUTING ──▶ TUNNEL-PORT)──▶ <cloudcore>:10003
///
/// Names and forms are upstream's, so that either side cleans up after the other.
struct KubeletPortRules: Sendable, Hashable {
    static let chain = "TUNNEL-PORT"
    private static let comment = "kubeedge tunnel port"
    private static let hooks = ["OUTPUT", "PREROUTING"]

    /// Where each port leads: `address:port`.
    private let targets: [Int: String]

    /// For the record of all instances; addresses of IPv6 are left out, for `iptables` knows none.
    init(_ record: TunnelPortRecord, streamPort: Int) {
        var targets: [Int: String] = [:]
        for (address, port) in record.ports where !address.contains(":") { targets[port] = "\(address):\(streamPort)" }
        self.targets = targets
    }

    /// Arguments of `iptables -t nat`, call for call, that lead from what is there to what shall be; none where all is well.
    ///
    /// - Parameter present: The lines that `iptables -t nat -S` prints.
    func commands(present: [String]) -> [[String]] {
        let lines = present.map { Self.words($0) }
        var commands: [[String]] = []
        if !lines.contains(where: { $0 == ["-N", Self.chain] }) { commands.append(["-N", Self.chain]) }
        for hook in Self.hooks where !lines.contains(where: { $0.starts(with: ["-A", hook]) && Self.value("-j", in: $0) == Self.chain }) {
            // Before the rules of others, which might take everything.
            commands.append(["-I", hook, "1", "-m", "comment", "--comment", Self.comment, "-j", Self.chain])
        }
        var missing = targets
        for line in lines where line.starts(with: ["-A", Self.chain]) {
            if let port = Self.value("--dport", in: line).flatMap({ Int($0) }), let target = Self.value("--to-destination", in: line),
                missing[port] == target
            {
                missing[port] = nil
            } else {
                commands.append(["-D"] + line.dropFirst())
            }
        }
        for (port, target) in missing.sorted(by: { $0.key < $1.key }) {
            commands.append(["-A", Self.chain, "-p", "tcp", "--dport", String(port), "-j", "DNAT", "--to-destination", target])
        }
        return commands
    }

    /// Splits a line as a shell would: only comments have blanks in them.
    private static func words(_ line: String) -> [String] {
        var words: [String] = []
        var isQuoted = false
        var word = ""
        for character in line {
            switch character {
            case "\"": isQuoted.toggle()
            case " " where !isQuoted:
                if !word.isEmpty { words.append(word) }
                word = ""
            default: word.append(character)
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }

    private static func value(_ option: String, in words: [String]) -> String? {
        guard let index = words.firstIndex(of: option), index + 1 < words.count else { return nil }
        return words[index + 1]
    }
}
