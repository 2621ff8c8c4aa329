import KubeMachinery
import Primitives

/// What the verbs do to the objects.
extension FakeKubeAPI {
    func begin(_ call: Call) throws {
        calls.append(call)
        defer { notify() }
        guard let index = failures.firstIndex(where: { $0.verb == call.verb && ($0.resource ?? call.resource) == call.resource }) else { return }
        let status = failures[index].status
        failures[index].remaining -= 1
        if failures[index].remaining <= 0 { failures.remove(at: index) }
        throw status
    }

    func existing(_ resource: GroupVersionResource, _ key: ObjectKey) throws -> KubeObject {
        guard let object = stored[resource]?[key] else { throw KubeStatus.notFound(resource.groupResource, key.name) }
        return object
    }

    func replace(_ resource: GroupVersionResource, _ object: KubeObject, subresource: String?) throws -> KubeObject {
        let old = try existing(resource, object.key)
        guard object.resourceVersion.isEmpty || object.resourceVersion == old.resourceVersion else {
            throw KubeStatus.conflict(
                resource.groupResource, object.name,
                "the object has been modified; please apply your changes to the latest version and try again")
        }
        var new = object
        if subresource == "status" {
            new = old
            new.json.setMember("status", object.json.member("status"))
        } else if subresource == "scale" {
            new = old
            new.spec["replicas"] = object.spec["replicas"]
        } else if subresource == nil {
            new.json.setMember("status", old.json.member("status"))
        }
        new.uid = old.uid
        new.metadata.setMember("creationTimestamp", old.metadata.member("creationTimestamp"))
        new.metadata.setMember("deletionTimestamp", old.metadata.member("deletionTimestamp"))
        new.metadata.setMember("generation", old.metadata.member("generation"))
        if new.spec != old.spec { new.generation = old.generation + 1 }
        new.resourceVersion = old.resourceVersion
        if new == old { return old }
        let isWaiting = !new.finalizers.isEmpty || !new.spec["finalizers"].elements.isEmpty || (new.deletionGracePeriodSeconds ?? 0) > 0
        if new.deletionTimestamp != nil, !isWaiting {
            return commit(resource, old: new, new: nil)
        }
        return commit(resource, old: old, new: new)
    }

    func createSubresource(_ subresource: String, of resource: GroupVersionResource, _ key: ObjectKey, _ object: KubeObject) throws -> KubeObject {
        let target = try existing(resource, key)
        switch subresource {
        case "binding":
            guard target.spec["nodeName"].string ?? "" == "" else {
                throw KubeStatus.conflict(resource.groupResource, key.name, "pod \(key.name) is already assigned to node")
            }
            var bound = target
            bound.spec["nodeName"] = object.json.at("target", "name")
            return commit(resource, old: target, new: bound)
        case "eviction":
            return remove(resource, target, options: object.json["deleteOptions"])
        default:
            throw KubeStatus(code: 404, reason: "NotFound", message: "the server could not find the requested resource")
        }
    }

    func check(_ preconditions: JSONValue, of object: KubeObject, _ resource: GroupVersionResource) throws {
        for (field, actual) in [("uid", object.uid), ("resourceVersion", object.resourceVersion)] {
            guard let expected = preconditions[field].string, expected != actual else { continue }
            throw KubeStatus.conflict(
                resource.groupResource, object.name,
                "Precondition failed: \(field) in precondition: \(expected), \(field) in object meta: \(actual)")
        }
    }

    func remove(_ resource: GroupVersionResource, _ object: KubeObject, options: JSONValue) -> KubeObject {
        var dying = object
        let wanted = ["Foreground": "foregroundDeletion", "Orphan": "orphan"][options["propagationPolicy"].string ?? ""]
        if let wanted, !dying.finalizers.contains(wanted) { dying.finalizers.append(wanted) }
        var grace: Int64 = 0
        if resource.resource == "pods", dying.spec["nodeName"].string ?? "" != "" {
            grace = options["gracePeriodSeconds"].int ?? dying.spec["terminationGracePeriodSeconds"].int ?? 30
        }
        let isHeld = !dying.finalizers.isEmpty || !dying.spec["finalizers"].elements.isEmpty
        guard isHeld || grace > 0 else { return commit(resource, old: dying, new: nil) }
        if dying.deletionTimestamp == nil {
            dying.metadata["deletionTimestamp"] = .string((clock.now().wall + .seconds(grace)).rfc3339)
        }
        dying.metadata["deletionGracePeriodSeconds"] = .integer(grace)
        return dying == object ? object : commit(resource, old: object, new: dying)
    }

    /// Stores the change under the next version and tells the watchers.
    @discardableResult
    func commit(_ resource: GroupVersionResource, old: KubeObject?, new: KubeObject?) -> KubeObject {
        revision += 1
        var change = Change(revision: revision, resource: resource, old: old, new: new)
        change.new?.resourceVersion = String(revision)
        if new == nil { change.old?.resourceVersion = String(revision) }
        guard let result = change.new ?? change.old else { preconditionFailure("a change of nothing") }
        stored[resource, default: [:]][result.key] = change.new
        history.append(change)
        for watcher in watchers { tell(watcher, change) }
        notify()
        return result
    }

    func tell(_ watcher: Watcher, _ change: Change) {
        guard watcher.resource == change.resource else { return }
        let before = change.old.map(watcher.selection.holds) ?? false
        if let new = change.new, watcher.selection.holds(new) {
            watcher.continuation.yield(before ? .modified(new) : .added(new))
        } else if before, var last = change.new ?? change.old {
            last.resourceVersion = String(change.revision)
            watcher.continuation.yield(.deleted(last))
        }
    }

    func notify() {
        for signal in signals { signal.yield() }
    }
}
