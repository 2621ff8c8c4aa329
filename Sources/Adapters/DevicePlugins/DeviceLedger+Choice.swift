import PodCore

/// Why devices were not assigned or not given to a container, in the kubelet's words.
struct DeviceFailure: Error, Sendable, Hashable, CustomStringConvertible {
    var message: String

    init(_ message: String) { self.message = message }
    var description: String { message }
}

extension DeviceLedger {
    /// What a claim still needs.
    enum Need: Sendable, Hashable {
        case nothing
        /// `kept` come from init containers of the pod; `missing` more are to be picked out of `available`.
        case devices(kept: [String], missing: Int, available: [String])
    }

    /// What a container of a pod needs of a resource, of which it asks for `count`.
    func need(_ claim: Claim, count: Int, pod: PodView) throws(DeviceFailure) -> Need {
        let held = assignments[claim]?.ids
        if let held, held.count != count {
            throw DeviceFailure(
                "pod \"\(claim.podUID)\" container \"\(claim.container)\" changed request for resource \"\(claim.resource)\" from \(held.count) to \(count)"
            )
        }
        guard let resource = resources[claim.resource] else { throw DeviceFailure("cannot allocate unregistered device \(claim.resource)") }
        let healthy = resource.healthy
        guard !healthy.isEmpty else { throw DeviceFailure("no healthy devices present; cannot allocate unhealthy devices \(claim.resource)") }
        if let held {
            guard healthy.isSuperset(of: held) else {
                throw DeviceFailure("previously allocated devices are no longer healthy; cannot allocate unhealthy devices \(claim.resource)")
            }
            return .nothing
        }
        let kept = Array(reusable(claim, pod: pod).sorted().prefix(count))
        let missing = count - kept.count
        let available = healthy.subtracting(inUse(claim.resource)).sorted()
        guard available.count >= missing else {
            throw DeviceFailure(
                "requested number of devices unavailable for \(claim.resource). Requested: \(missing), Available: \(available.count)")
        }
        return .devices(kept: kept, missing: missing, available: available)
    }

    /// What init containers of the pod hold, which run before: other init containers and one regular container may have it too.
    private func reusable(_ claim: Claim, pod: PodView) -> Set<String> {
        func held(_ containers: [ContainerView]) -> Set<String> {
            var ids: Set<String> = []
            for container in containers {
                let other = Claim(podUID: claim.podUID, container: container.name, resource: claim.resource)
                ids.formUnion(assignments[other]?.ids ?? [])
            }
            return ids
        }
        return held(pod.initContainers).subtracting(held(pod.containers))
    }

    /// Picks what is missing: first what the plugin prefers, then the rest in the order of names.
    static func pick(_ missing: Int, from available: [String], preferring preferred: [String]) -> [String] {
        let offered = Set(available)
        var picked: [String] = []
        for id in preferred + available where picked.count < missing && offered.contains(id) && !picked.contains(id) { picked.append(id) }
        return picked
    }
}

extension ContainerView {
    /// How many of each resource the container asks for, in the order of names; devices are asked for by limits.
    var deviceRequests: [(resource: String, count: Int)] {
        limits.amounts.filter { $0.value > 0 && $0.key.contains("/") }.sorted { $0.key < $1.key }
            .map { (resource: $0.key, count: Int(clamping: $0.value)) }
    }
}

/// Whether a plugin may bring a resource of that name: `vendor.domain/name`, not one of Kubernetes' own.
enum ResourceName {
    static func isExtended(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].contains("kubernetes.io"), !name.hasPrefix("requests."), isDomain(parts[0]) else { return false }
        return (1...63).contains(parts[1].utf8.count) && isLabel(parts[1], allowing: "-_.", upperCase: true)
    }

    private static func isDomain(_ text: Substring) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel($0, allowing: "-", upperCase: false) }
    }

    private static func isLabel(_ text: Substring, allowing more: String, upperCase: Bool) -> Bool {
        func isAlphanumeric(_ character: Character) -> Bool {
            character.isASCII && (character.isNumber || (character.isLetter && (upperCase || character.isLowercase)))
        }
        guard let first = text.first, let last = text.last, isAlphanumeric(first), isAlphanumeric(last) else { return false }
        return text.allSatisfy { isAlphanumeric($0) || more.contains($0) }
    }
}
