import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("what is taken away from the node")
struct GarbageTests {
    // MARK: - Containers

    /// `pod/container/attempt state`, made `attempt` minutes after the start.
    static func container(_ text: String) -> ContainerState {
        let words = text.split(separator: " ").map(String.init)
        let parts = words[0].split(separator: "/").map(String.init)
        let attempt = UInt32(parts[2]) ?? 0
        let phases: [String: ContainerState.Phase] = ["exited": .exited, "running": .running, "created": .created, "unknown": .unknown]
        var state = ContainerState(
            id: words[0], sandboxID: parts[0], name: parts[1], attempt: attempt, phase: phases[words[1]] ?? .unknown,
            createdAt: Fixture.start + .seconds(Int64(attempt) * 60))
        state.labels[ContainerLabel.podUID] = parts[0]
        return state
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var containers: [String]
        var kept = 1
        var inAll = -1
        var age = 0
        var ended: Set<String> = []
        var removed: [String]
        var testDescription: String { name }
    }

    static let rows = [
        Row(
            name: "one ended copy of each container is kept", containers: ["p/a/0 exited", "p/a/1 exited", "p/a/2 running", "p/b/0 exited"],
            removed: ["p/a/0"]),
        Row(
            name: "containers that run or whose state is unknown are left alone", containers: ["p/a/0 running", "p/a/1 unknown"], kept: 0, removed: []
        ),
        Row(
            name: "the newest of a live pod stays although none is to be kept", containers: ["p/a/0 exited", "p/a/1 exited"], kept: 0,
            removed: ["p/a/0"]),
        Row(name: "an ended pod keeps none where none is to be kept", containers: ["p/a/0 exited"], kept: 0, ended: ["p"], removed: ["p/a/0"]),
        Row(name: "a negative number keeps all", containers: ["p/a/0 exited", "p/a/1 exited"], kept: -1, removed: []),
        Row(name: "the young ones stay", containers: ["p/a/7 exited", "p/a/8 exited", "p/a/9 exited"], age: 150, removed: ["p/a/7"]),
        Row(name: "a container that never started counts as ended", containers: ["p/a/0 created", "p/a/1 exited"], removed: ["p/a/0"]),
        Row(name: "pods that nobody wants are not looked at", containers: ["x/a/0 exited", "x/a/1 exited"], removed: []),
        Row(
            name: "the oldest go first where the node has too many",
            containers: ["p/a/1 exited", "p/a/3 exited", "q/a/2 exited", "q/a/4 exited"], kept: 2, inAll: 3, removed: ["p/a/1"]),
        Row(
            name: "a limit of the node takes no live pod its last one", containers: ["p/a/1 exited", "q/a/2 exited"], inAll: 0, ended: ["q"],
            removed: ["q/a/2"]),
    ]

    @Test("ended containers", arguments: rows)
    func containers(row: Row) {
        var policy = GarbagePolicy()
        policy.containersKept = row.kept
        policy.containersKeptInAll = row.inAll
        policy.minimumContainerAge = .seconds(row.age)
        let pods = Dictionary(uniqueKeysWithValues: ["p", "q"].map { ($0, PodStanding(hasEnded: row.ended.contains($0))) })
        let removed = ContainerGarbage.containers(
            row.containers.map(Self.container), of: pods, policy: policy, now: Fixture.start + .seconds(600))
        #expect(removed.map(\.id) == row.removed)
    }

    @Test("eviction takes all of ended pods, and of the others all but the newest")
    func everyDead() {
        let containers = ["p/a/0 exited", "p/a/1 exited", "q/a/0 exited", "q/b/0 running"].map(Self.container)
        let pods = ["p": PodStanding(hasEnded: true), "q": PodStanding(hasEnded: false)]
        #expect(Set(ContainerGarbage.everyDead(containers, of: pods, now: Fixture.start).map(\.id)) == ["p/a/0", "p/a/1"])
    }

    @Test(
        "sandboxes without containers",
        arguments: [
            ([(0, false), (1, true)], [], false, ["s0"]), ([(0, false), (1, false)], [], false, ["s0"]), ([(0, false)], [], true, ["s0"]),
            ([(0, false), (1, false)], ["s0"], false, []), ([(0, true)], [], true, []),
        ] as [([(UInt32, Bool)], [String], Bool, [String])])
    func sandboxes(states: [(UInt32, Bool)], used: [String], hasEnded: Bool, removed: [String]) {
        let containers = used.map { Fixture.state("main", .exited, sandbox: $0) }
        let sandboxes = states.map { Fixture.sandbox(attempt: $0.0, isReady: $0.1) }
        let found = ContainerGarbage.sandboxes(sandboxes, containers: containers, of: ["7b1f-4c": PodStanding(hasEnded: hasEnded)])
        #expect(found.map(\.id) == removed)
        #expect(ContainerGarbage.sandboxes(sandboxes, containers: containers, of: [:]).isEmpty)
    }

    // MARK: - Images

    private static func image(_ id: String, size: UInt64 = 10, tag: String? = nil, isPinned: Bool = false) -> ImageState {
        ImageState(id: id, tags: tag.map { [$0] } ?? [], digests: [], size: size, user: nil, userName: "", isPinned: isPinned)
    }

    @Test("images go by last use, then by age; used, pinned and new ones stay")
    func images() {
        var garbage = ImageGarbage()
        let old = [
            Self.image("never"), Self.image("early"), Self.image("late"), Self.image("used", tag: "docker.io/library/web:1"),
            Self.image("pinned", isPinned: true),
        ]
        garbage.look(old, used: ["early", "late", "docker.io/library/web:1"], now: Fixture.at(0))
        garbage.look(old, used: ["late", "docker.io/library/web:1"], now: Fixture.at(300))
        let all = old + [Self.image("new")]
        garbage.look(all, used: ["docker.io/library/web:1"], now: Fixture.at(600))
        #expect(garbage.candidates(all, policy: GarbagePolicy(), now: Fixture.at(600)).map(\.id) == ["never", "early", "late"])
        #expect(garbage.candidates(all, policy: GarbagePolicy(), now: Fixture.at(719)).map(\.id).contains("new") == false)
        #expect(garbage.candidates(all, policy: GarbagePolicy(), now: Fixture.at(720)).map(\.id) == ["never", "new", "early", "late"])
    }

    @Test("an image that nobody has looked at yet stays")
    func unknownImage() {
        #expect(ImageGarbage().candidates([Self.image("a")], policy: GarbagePolicy(), now: Fixture.at(0)).isEmpty)
    }

    @Test(
        "how much has to go",
        arguments: [
            (1000, 200, nil), (1000, 160, nil), (1000, 159, 41), (1000, 150, 50), (1000, 0, 200), (0, 0, nil), (1000, -5, 200), (1000, 2000, nil),
            (Int64.max, 0, 1_844_674_407_370_955_161),
        ] as [(Int64, Int64, Int64?)])
    func excess(capacity: Int64, available: Int64, expected: Int64?) {
        #expect(ImageGarbage.excess(capacity: capacity, available: available, policy: GarbagePolicy()) == expected)
    }

    @Test("a high threshold of 100 switches it off")
    func off() {
        var policy = GarbagePolicy()
        policy.imageHighPercent = 100
        #expect(ImageGarbage.excess(capacity: 1000, available: 0, policy: policy) == nil)
    }

    @Test(
        "what a pod names is found however the runtime writes it",
        arguments: [
            ("busybox", "docker.io/library/busybox:latest"), ("team/app:1", "docker.io/team/app:1"), ("localhost/app", "localhost/app:latest"),
            ("r.example.com:5000/app:2", "r.example.com:5000/app:2"),
        ])
    func spellings(name: String, stored: String) { #expect(ImageReference.spellings(name).contains(stored)) }

    // MARK: - Logs

    static func log(attempt: UInt32 = 0) -> ContainerLog? {
        var state = Fixture.state("main", attempt: attempt)
        state.labels = [ContainerLabel.podNamespace: "shop", ContainerLabel.podName: "web", ContainerLabel.podUID: "7b1f-4c"]
        return ContainerLog(state)
    }

    @Test("a log is found by the labels of its container")
    func place() throws {
        let log = try #require(Self.log(attempt: 3))
        #expect(log.directory == "shop_web_7b1f-4c/main" && log.file == "3.log")
        #expect(log.owns("3.log") && log.owns("3.log.20261123-111557.gz"))
        #expect(!log.owns("3.logs") && !log.owns("13.log") && !log.owns("2.log"))
    }

    @Test("labels that lead elsewhere name no log", arguments: ["", ".", "..", "/", "/bin", "a/../../etc", "a/b"])
    func strangePlace(name: String) {
        var state = Fixture.state(name)
        state.labels = [ContainerLabel.podNamespace: "shop", ContainerLabel.podName: "web", ContainerLabel.podUID: "7b1f-4c"]
        #expect(ContainerLog(state) == nil)
        state = Fixture.state("main")
        for label in [ContainerLabel.podNamespace, ContainerLabel.podName, ContainerLabel.podUID] {
            state.labels = [ContainerLabel.podNamespace: "shop", ContainerLabel.podName: "web", ContainerLabel.podUID: "7b1f-4c"]
            state.labels[label] = name
            #expect(ContainerLog(state) == nil)
        }
    }

    struct Rotation: Sendable {
        var files: [String]
        var limit = 5
        var removals: [String] = []
        var compressions: [String] = []
        var newName = "0.log.20261123-111557"
    }

    static let rotations = [
        Rotation(files: ["0.log"]),
        Rotation(files: ["0.log", "0.log.20261123-100000"], compressions: ["0.log.20261123-100000"]),
        Rotation(files: ["0.log", "0.log.20261123-100000"], limit: 2, removals: ["0.log.20261123-100000"]),
        Rotation(
            files: ["0.log", "0.log.20261123-04.gz", "0.log.20261123-01.gz", "0.log.20261123-02.gz", "0.log.20261123-03.gz", "0.log.20261123-05"],
            removals: ["0.log.20261123-01.gz", "0.log.20261123-02.gz"], compressions: ["0.log.20261123-05"]),
        Rotation(
            files: [
                "0.log", "0.log.20261123-01.gz.tmp", "0.log.20261123-01", "0.log.20261123-00", "0.log.20261123-00.gz", "1.log", "1.log.20261123-00",
            ],
            removals: ["0.log.20261123-00", "0.log.20261123-01.gz.tmp"], compressions: ["0.log.20261123-01"]),
        Rotation(files: ["0.log", "0.log.20261123-111557"], compressions: ["0.log.20261123-111557"], newName: "0.log.20261123-111558"),
    ]

    @Test("what becomes of the older logs", arguments: rotations)
    func rotation(row: Rotation) throws {
        var policy = GarbagePolicy()
        policy.logFiles = row.limit
        let rotation = LogRotation(of: try #require(Self.log()), files: row.files, policy: policy, now: Fixture.start)
        #expect(rotation.removals == row.removals)
        #expect(rotation.compressions == row.compressions)
        #expect(rotation.newName == row.newName)
    }

    @Test("a log is due at the limit", arguments: [(9, false), (10, true), (11, true)])
    func due(size: Int64, isDue: Bool) {
        var policy = GarbagePolicy()
        policy.logSize = 10
        #expect(LogRotation.isDue(size: size, policy: policy) == isDue)
    }
}
