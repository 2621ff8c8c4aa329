package import Primitives

/// One probe of one container: when it is due, and what its results add up to (`spec/05 §16`).
package struct ProbeCore: Sendable {
    /// What came out of one try.
    package enum Result: Sendable, Hashable {
        case success, failure
        /// The probe itself could not be made: tried again at once, three times in all, then ignored.
        case error
    }

    /// What to do next about a probe.
    package enum Step: Sendable, Hashable {
        /// Nothing to do before this uptime, or before the container changes.
        case wait(until: Duration)
        case probe(containerID: String)
        /// The probe has nothing to do any more.
        case end
    }

    package let kind: ProbeKind
    package let period: Duration
    package let timeout: Duration
    package let initialDelay: Duration
    package let failureThreshold: Int
    package let successThreshold: Int
    /// The container that the results are about.
    package private(set) var containerID: String?
    /// What the results add up to.
    package private(set) var outcome = ProbeOutcome.unknown

    private var last: Result?
    private var count = 0
    private var errors = 0
    private var isOnHold = false
    private var dueAt: Duration
    /// Uptime at which the container was first seen.
    private var seenAt = Duration.zero

    /// Reads a probe of the spec. `firstAt` (uptime) is when it may run first; right after a start of the agent chance spreads it.
    package init(_ kind: ProbeKind, _ json: JSONValue, firstAt: Duration) {
        func seconds(_ name: String, _ fallback: Int64, atLeast minimum: Int64) -> Duration {
            .seconds(max(json[name].int ?? fallback, minimum))
        }
        self.kind = kind
        period = seconds("periodSeconds", 10, atLeast: 1)
        timeout = seconds("timeoutSeconds", 1, atLeast: 1)
        initialDelay = seconds("initialDelaySeconds", 0, atLeast: 0)
        failureThreshold = Int(clamping: max(json["failureThreshold"].int ?? 3, 1))
        successThreshold = Int(clamping: max(json["successThreshold"].int ?? 1, 1))
        dueAt = firstAt
    }

    /// What the probe counts as before its first result.
    private var initialOutcome: ProbeOutcome {
        switch kind {
        case .liveness: .success
        case .readiness: .failure
        case .startup: .unknown
        }
    }

    /// The next step, asked for whenever time has come or the container has changed.
    ///
    /// `isStarted` tells whether the container has passed its startup probe, `mayRestart` whether policy ever starts it again, `hasPassed`
    /// whether the cluster was told already that this very container passes the probe: after a restart of the agent that goes on to hold.
    package mutating func next(
        _ container: ContainerState?, isStarted: Bool, isPodDeleted: Bool, isPodTerminal: Bool, mayRestart: Bool, hasPassed: Bool = false,
        now: Moment
    ) -> Step {
        if isPodTerminal { return .end }
        guard let container else { return .wait(until: now.uptime + period) }
        if container.id != containerID {
            begin(container.id, hasPassed: hasPassed)
            seenAt = now.uptime
        }
        if isOnHold { return .wait(until: now.uptime + period) }
        guard container.phase == .running else {
            outcome = .failure
            if container.phase == .exited, !mayRestart { return .end }
            return .wait(until: now.uptime + period)
        }
        if isPodDeleted, kind != .readiness {
            outcome = .success
            return .end
        }
        if let startedAt = container.startedAt {
            // A clock that is set back does not hold the probe.
            let age = max(now.wall - startedAt, now.uptime - seenAt)
            if age < initialDelay { return .wait(until: max(dueAt, now.uptime + min(period, initialDelay - age))) }
        }
        if kind == .startup, isStarted || outcome == .success { return .wait(until: now.uptime + period) }
        if kind != .startup, !isStarted { return .wait(until: now.uptime + period) }
        guard now.uptime >= dueAt else { return .wait(until: dueAt) }
        // After a rest the beat starts anew; otherwise lateness does not add up.
        if dueAt + period <= now.uptime { dueAt = now.uptime }
        return .probe(containerID: container.id)
    }

    /// Takes the result of a probe of `containerID` in; true where the outcome changed.
    package mutating func finished(_ result: Result, containerID: String, now: Moment) -> Bool {
        guard containerID == self.containerID else { return false }
        if result == .error {
            errors += 1
            if errors < 3 { return false }
            errors = 0
            schedule(now)
            return false
        }
        errors = 0
        schedule(now)
        count = last == result ? count + 1 : 1
        last = result
        guard count >= (result == .failure ? failureThreshold : successThreshold) else { return false }
        let before = outcome
        outcome = result == .success ? .success : .failure
        if outcome == .failure, kind != .readiness {
            isOnHold = true
            count = 0
        }
        return before != outcome
    }

    /// The startup probe has succeeded: the others run at once.
    package mutating func hurry(_ now: Moment) { dueAt = min(dueAt, now.uptime) }

    /// The next beat. One that passed while the probe took its time is made up for at once, more than one are not.
    private mutating func schedule(_ now: Moment) {
        dueAt += period
        while dueAt + period <= now.uptime { dueAt += period }
    }

    private mutating func begin(_ id: String, hasPassed: Bool) {
        containerID = id
        outcome = hasPassed ? .success : initialOutcome
        (last, count, errors, isOnHold) = (nil, 0, 0, false)
    }
}

/// What a probe or a lifecycle hook does.
package enum ProbeAction: Sendable, Hashable {
    case execute([String])
    /// `host` is nil for the pod's own address.
    case httpGet(scheme: String, host: String?, port: UInt16, path: String, headers: [HTTPField])
    case tcpSocket(host: String?, port: UInt16)
    case grpc(port: UInt16, service: String)

    /// One header of an HTTP probe.
    package struct HTTPField: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Reads a handler of a container's spec; nil where it has none or its port is unknown.
    package init?(_ json: JSONValue, container: ContainerView) {
        if json["exec"].object != nil {
            var literals: [String: String] = [:]
            for variable in container.json["env"].elements {
                if let name = variable["name"].string, let value = variable["value"].string { literals[name] = value }
            }
            self = .execute(json["exec"]["command"].strings.map { VariableExpansion.expand($0) { literals[$0] } })
        } else if json["httpGet"].object != nil {
            let get = json["httpGet"]
            guard let port = Self.port(get["port"], container) else { return nil }
            let path = get["path"].string ?? ""
            self = .httpGet(
                scheme: (get["scheme"].string ?? "HTTP").lowercased(), host: get["host"].string.flatMap { $0.isEmpty ? nil : $0 }, port: port,
                path: path.hasPrefix("/") ? path : "/" + path,
                headers: get["httpHeaders"].elements.map { HTTPField(name: $0["name"].string ?? "", value: $0["value"].string ?? "") })
        } else if json["tcpSocket"].object != nil {
            guard let port = Self.port(json["tcpSocket"]["port"], container) else { return nil }
            self = .tcpSocket(host: json["tcpSocket"]["host"].string.flatMap { $0.isEmpty ? nil : $0 }, port: port)
        } else if json["grpc"].object != nil {
            guard let port = Self.port(json["grpc"]["port"], container) else { return nil }
            self = .grpc(port: port, service: json["grpc"]["service"].string ?? "")
        } else {
            return nil
        }
    }

    /// A number, a number as text, or the name of one of the container's ports.
    static func port(_ value: JSONValue, _ container: ContainerView) -> UInt16? {
        let number =
            value.int
            ?? value.string.flatMap { text in
                container.ports.first { $0["name"].string == text }?["containerPort"].int ?? Int64(text)
            }
        return number.flatMap(UInt16.init(exactly:)).flatMap { $0 > 0 ? $0 : nil }
    }
}
