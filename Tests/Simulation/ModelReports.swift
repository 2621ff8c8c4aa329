import DeliveryCore
import EdgeMessages

/// What the simulation knows of the reports that were given to the outbox, and what must hold for them.
struct ModelReports {
    struct Report {
        var number: Int
        var lane: String
        var kind: ReportKind
        /// Its caller was told that it is on the disk.
        var isAcknowledged = false
        /// Its caller was told that it is not kept.
        var isRefused = false
        /// It gave its room to a newer one.
        var isDropped = false
        /// The lives of the cloud in which it was applied.
        var applied: [Int] = []
        /// The first time, counted over all reports.
        var firstApplied: Int?
        /// That was by a cloud that its node had left.
        var isLate = false
    }

    private(set) var reports: [String: Report] = [:]
    private var applications = 0
    /// The newest report of each state that the cloud has.
    private var newest: [String: Int] = [:]
    private(set) var droppedCount = 0
    /// Reports that came to the cloud again and were not applied again.
    var repeated = 0

    subscript(_ id: String) -> Report? { reports[id] }

    mutating func posted(_ message: EdgeMessage, _ kind: ReportKind) {
        reports[message.header.id] = Report(number: reports.count, lane: message.lane, kind: kind)
    }

    mutating func acknowledged(_ id: String) { reports[id]?.isAcknowledged = true }

    mutating func refused(_ id: String) { reports[id]?.isRefused = true }

    mutating func dropped(_ id: String) {
        reports[id]?.isDropped = true
        droppedCount += 1
    }

    /// The cloud applies a report; returns what is wrong with that. `isLate`: one of several clouds has been at it while its node moved on to
    /// another: it may come after newer ones, and whoever writes a state compares.
    mutating func apply(_ id: String, life: Int, isOnce: Bool, isLate: Bool) -> String? {
        guard var report = reports[id] else { return "the cloud got a report \(id) that nobody made" }
        if report.isRefused { return "report \(report.number) was applied though its caller was told that it is not kept" }
        if isOnce, report.applied.contains(life) { return "report \(report.number) was applied twice" }
        report.applied.append(life)
        if report.firstApplied == nil {
            applications += 1
            report.firstApplied = applications
            report.isLate = isLate
        }
        reports[id] = report
        guard case .state(let key) = report.kind else { return nil }
        let name = "\(report.lane) \(key)"
        if let known = newest[name], known > report.number {
            if isLate { return nil }
            return "the state \(name) went back from report \(known) to \(report.number)"
        }
        newest[name] = report.number
        return nil
    }

    /// The ids of what the cloud has, in the order in which it came first.
    var arrivals: [String] {
        reports.filter { $0.value.firstApplied != nil }.sorted { $0.value.firstApplied ?? 0 < $1.value.firstApplied ?? 0 }.map(\.key)
    }

    var appliedCount: Int { reports.values.count { $0.firstApplied != nil } }

    /// What of that which was promised is not at the cloud, or came in a wrong order; nil where all is well.
    func missing() -> String? {
        let all = reports.values.sorted { $0.number < $1.number }
        for report in all where report.isAcknowledged && !report.isDropped {
            switch report.kind {
            case .event: if report.firstApplied == nil { return "the event \(report.number) on \(report.lane) never came to the cloud" }
            case .state(let key):
                guard let newest = newest["\(report.lane) \(key)"], newest >= report.number else {
                    return "the state \(report.number) of \(report.lane) \(key) never came to the cloud, nor a newer one"
                }
            }
        }
        return disorder()
    }

    /// Events stand in the order in which they were posted, among each other and among the states of their lane.
    private func disorder() -> String? {
        for (lane, group) in Dictionary(grouping: reports.values.filter { $0.firstApplied != nil && !$0.isLate }, by: \.lane) {
            let came = group.sorted { $0.firstApplied ?? 0 < $1.firstApplied ?? 0 }
            var (highest, highestEvent) = (-1, -1)
            for report in came {
                let bound = report.kind.isEvent ? highest : highestEvent
                if report.number < bound { return "on \(lane) report \(report.number) came after \(bound)" }
                highest = max(highest, report.number)
                if report.kind.isEvent { highestEvent = max(highestEvent, report.number) }
            }
        }
        return nil
    }
}
