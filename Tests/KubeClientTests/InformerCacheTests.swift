import KubeMachinery
import Testing

@testable import KubeClient

private func object(_ name: String, version: Int, uid: String = "u") -> KubeObject {
    var object = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "n", name: name)
    object.uid = uid
    object.resourceVersion = String(version)
    return object
}

private func told(_ changes: [InformerChange]) -> [String] {
    changes.map { change in
        switch change {
        case .added(let object): "+\(object.name)\(object.resourceVersion)"
        case .updated(let old, let new): "~\(old.name)\(old.resourceVersion)>\(new.resourceVersion)"
        case .deleted(let object): "-\(object.name)\(object.resourceVersion)"
        }
    }
}

@Suite struct InformerCacheTests {
    @Test func `a list tells what is new, changed and gone`() {
        var cache = InformerCache()
        #expect(told(cache.replace(with: [object("a", version: 1), object("b", version: 2), object("c", version: 3)])) == ["+a1", "+b2", "+c3"])
        #expect(told(cache.replace(with: [object("a", version: 1), object("b", version: 5), object("d", version: 6)])) == ["~b2>5", "+d6", "-c3"])
    }

    @Test func `an object that comes back with another uid was deleted and added`() {
        var cache = InformerCache()
        _ = cache.replace(with: [object("a", version: 1, uid: "one")])
        #expect(told(cache.apply(.modified(object("a", version: 4, uid: "two")))) == ["-a1", "+a4"])
    }

    @Test func `the deletion of an object never seen is no change`() {
        var cache = InformerCache()
        #expect(told(cache.apply(.deleted(object("a", version: 1)))) == [])
        #expect(told(cache.apply(.bookmark("9"))) == [])
    }

    @Test func `managed fields are left out`() {
        var cache = InformerCache()
        var managed = object("a", version: 1)
        managed.metadata["managedFields"] = [["manager": "kubectl"]]
        #expect(cache.apply(.added(managed)).first?.object.metadata.member("managedFields") == nil)
    }
}

@Suite struct ChangeMailboxTests {
    private static let one = object("a", version: 1)
    private static let two = object("a", version: 2)
    private static let three = object("a", version: 3)
    private static let other = object("a", version: 4, uid: "other")

    @Test(arguments: [
        ([InformerChange.added(one), .updated(old: one, new: two)], ["+a2"]),
        ([.updated(old: one, new: two), .updated(old: two, new: three)], ["~a1>3"]),
        ([.added(one), .deleted(two)], []),
        ([.updated(old: one, new: two), .deleted(three)], ["-a3"]),
        ([.deleted(one), .added(two)], ["~a1>2"]),
        ([.deleted(one), .added(other)], ["-a1", "+a4"]),
        ([.deleted(one), .added(other), .deleted(other)], ["-a1"]),
        ([.deleted(one), .added(other), .deleted(other), .added(other)], ["-a1", "+a4"]),
    ])
    func `the changes of an object are joined while nobody reads`(_ changes: [InformerChange], expected: [String]) async {
        let mailbox = ChangeMailbox()
        mailbox.post(.added(object("first", version: 9)))
        for change in changes { mailbox.post(change) }
        mailbox.post(.added(object("last", version: 9)))
        var received: [InformerChange] = []
        while let change = await mailbox.next() {
            received.append(change)
            if change.object.name == "last" { break }
        }
        #expect(told(received) == ["+first9"] + expected + ["+last9"])
    }

    @Test func `an object that comes and goes all the time takes no room`() async {
        let mailbox = ChangeMailbox()
        for version in 0..<10_000 {
            mailbox.post(.added(object("pod-\(version)", version: version)))
            mailbox.post(.deleted(object("pod-\(version)", version: version)))
        }
        #expect(mailbox.room < 100)
    }

    @Test func `a closed mailbox ends its reader`() async {
        let mailbox = ChangeMailbox()
        async let end = mailbox.next()
        mailbox.close()
        #expect(await end == nil)
    }
}
