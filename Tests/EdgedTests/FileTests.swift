import EdgeTesting
import Glibc
import Logging
import PodCore
import Primitives
import Testing

@testable import Edged

/// A directory of the test's own.
private func withDirectory(_ body: (String) throws -> Void) throws {
    let name = "edged-files-\(UniqueID.next())"
    let parent = try OwnDirectory("/tmp")
    try parent.makeDirectory(name)
    defer { try? parent.remove(name) }
    try body("/tmp/\(name)")
}

@Suite struct FileTests {
    @Test(arguments: ["", ".", "..", "/", "/etc", "a/../..", "../x", "a/../../etc", "./.."])
    func `a path that could lead elsewhere removes nothing`(_ path: String) throws {
        try withDirectory { directory in
            let own = try OwnDirectory(directory)
            try HostFiles.create([1], at: directory + "/kept", mode: 0o600)
            #expect(throws: EdgedFailure.self) { try own.remove(path) }
            #expect(HostFiles.exists(directory + "/kept"))
        }
    }

    @Test(arguments: ["", "/", "relative", "/..", "/a/../.."])
    func `the root of the machine is nobody's own directory`(_ path: String) {
        #expect(throws: EdgedFailure.self) { _ = try OwnDirectory(path) }
    }

    @Test func `links are removed, what they point to stays`() throws {
        try withDirectory { directory in
            let own = try OwnDirectory(directory + "/own")
            try own.makeDirectory("pod/volume")
            try HostFiles.create([1], at: directory + "/precious", mode: 0o600)
            symlink(directory, directory + "/own/pod/volume/link")
            symlink(directory, directory + "/own/way")
            try own.remove("pod")
            #expect(!HostFiles.exists(directory + "/own/pod"))
            #expect(throws: EdgedFailure.self) { try own.remove("way/precious") }
            #expect(HostFiles.exists(directory + "/precious"))
        }
    }

    @Test func `files of a volume change all at once and only when they change`() throws {
        try withDirectory { directory in
            let now = ManualClock().now()
            func write(_ files: [(String, String)]) throws -> Bool {
                try AtomicDirectory.write(
                    files.map { AtomicDirectory.File(path: $0.0, bytes: Array($0.1.utf8), mode: 0o640) }, in: directory, now: now)
            }
            #expect(try write([("colour", "blue"), ("deep/er/size", "9")]) == true)
            #expect(HostFiles.text(directory + "/colour") == "blue")
            #expect(HostFiles.text(directory + "/deep/er/size") == "9")
            #expect(try write([("colour", "blue"), ("deep/er/size", "9")]) == false)
            #expect(try write([("colour", "red")]) == true)
            #expect(HostFiles.text(directory + "/colour") == "red")
            let names = try OwnDirectory(directory).contents().sorted()
            #expect(names.count == 3 && names.contains("..data") && names.contains("colour"))
            #expect(throws: EdgedFailure.self) { _ = try write([("../out", "x")]) }
            #expect(throws: EdgedFailure.self, "a file cannot be a directory too") { _ = try write([("a", "x"), ("a/b", "y")]) }
            #expect(HostFiles.text(directory + "/colour") == "red")
            #expect(try OwnDirectory(directory).contents().count == 3, "what was begun is taken away")
        }
    }

    @Test func `credentials are found by the most specific place`() {
        func secret(_ text: String) -> JSONValue {
            ["type": "kubernetes.io/dockerconfigjson", "data": [".dockerconfigjson": .string(Base64.encode(Array(text.utf8)))]]
        }
        let keys = RegistryKeys(secrets: [
            secret(#"{"auths":{"https://index.docker.io/v1/":{"auth":"aHViOnNlY3JldA=="},"*.example.com":{"username":"any","password":"p"}}}"#),
            secret(#"{"auths":{"r.example.com/team":{"username":"team","password":"p"}}}"#), secret("no json"),
        ])
        #expect(keys.credentials(for: "r.example.com/team/app:1").map(\.user) == ["team", "any"])
        #expect(keys.credentials(for: "r.example.com/other:1").map(\.user) == ["any"])
        #expect(keys.credentials(for: "busybox:1").map(\.user) == ["hub"])
        #expect(keys.credentials(for: "busybox:1").first?.password.exposed == "secret")
        #expect(keys.credentials(for: "elsewhere.org/app:1").isEmpty)
    }

    @Test func `the groups of a pod are made with its limits in version 1 and version 2`() throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try withDirectory { directory in
            let own = try OwnDirectory(directory)
            for controller in ["cpu", "memory"] {
                try own.makeDirectory("one/\(controller)")
                try HostFiles.create([], at: "\(directory)/one/\(controller)/tasks", mode: 0o644)
            }
            let one = PodCgroups(root: directory + "/one", logger: logger)
            #expect(!one.isVersionTwo)
            one.make("/kubepods/burstable/podx", ResourcePlan(), maximumProcesses: -1)
            for controller in ["cpu", "memory"] { #expect(HostFiles.exists("\(directory)/one/\(controller)/kubepods/burstable/podx")) }
            one.remove("/kubepods/burstable/podx")
            #expect(!HostFiles.exists(directory + "/one/cpu/kubepods/burstable/podx"))
            one.remove("/kubepods")
            #expect(HostFiles.exists(directory + "/one/cpu/kubepods"))

            try own.makeDirectory("two")
            try HostFiles.create([], at: directory + "/two/cgroup.controllers", mode: 0o644)
            let two = PodCgroups(root: directory + "/two", logger: logger)
            #expect(two.isVersionTwo)
            two.make("/kubepods/podx", ResourcePlan(), maximumProcesses: -1)
            #expect(HostFiles.exists(directory + "/two/kubepods/podx"))
        }
    }
}
