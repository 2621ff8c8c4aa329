/// The kernel killed a process for want of memory, as its log says (`spec/05 §25.10`).
package struct KernelOOM: Sendable, Hashable {
    /// The control group of the process.
    package var cgroup: String
    package var process: String
    package var pid: Int64
    /// The machine was out of memory, not a group with a limit.
    package var isOfSystem: Bool

    /// Reads one record of /dev/kmsg, `priority,sequence,time,flags;text`; nil for every other one.
    ///
    /// The text has the form `oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/a,task_memcg=/a/b,task=name,pid=7,uid=0`.
    package init?(record: String) {
        guard let start = record.firstIndex(of: ";") else { return nil }
        let text = record[record.index(after: start)...].prefix { $0 != "\n" }
        guard text.hasPrefix("oom-kill:") else { return nil }
        var fields: [Substring: Substring] = [:]
        var flags: Set<Substring> = []
        for part in text.dropFirst("oom-kill:".count).split(separator: ",") {
            if let sign = part.firstIndex(of: "=") {
                fields[part[..<sign]] = part[part.index(after: sign)...]
            } else {
                flags.insert(part)
            }
        }
        guard let task = fields["task"], let pid = fields["pid"].flatMap({ Int64($0) }) else { return nil }
        cgroup = String(fields["task_memcg"] ?? "/")
        process = String(task)
        self.pid = pid
        isOfSystem = flags.contains("global_oom") || fields["oom_memcg"] == nil || fields["oom_memcg"] == "/"
    }

    /// What the node's event `SystemOOM` says.
    package var message: String { "System OOM encountered, victim process: \(process), pid: \(pid)" }
}
