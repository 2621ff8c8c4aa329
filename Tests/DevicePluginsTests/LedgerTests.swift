import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import DevicePlugins

@Suite("who holds which device")
struct LedgerTests {
    static let camera = "example.com/camera"

    static func pod(_ uid: String, init initial: [Int] = [], _ counts: [Int]) -> PodView {
        func container(_ name: String, _ count: Int) -> JSONValue {
            ["name": .string(name), "resources": count > 0 ? ["limits": [camera: .string(String(count)), "cpu": "1"]] : [:]]
        }
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: uid)
        pod.uid = uid
        pod.json["spec"] = [
            "initContainers": .array(initial.enumerated().map { container("i\($0.offset)", $0.element) }),
            "containers": .array(counts.enumerated().map { container("c\($0.offset)", $0.element) }),
        ]
        return PodView(pod)
    }

    static func ledger(_ devices: [String: Bool]) -> DeviceLedger {
        var ledger = DeviceLedger()
        ledger.registered(camera, needsPreStart: false, hasPreference: false)
        ledger.listed(camera, devices.mapValues { DeviceLedger.Device(isHealthy: $0) })
        return ledger
    }

    /// Assigns everything a pod asks for; returns the words of the refusal, or what each container got.
    static func admit(_ pod: PodView, _ ledger: inout DeviceLedger, preferring preferred: [String] = []) -> String {
        var words: [String] = []
        for container in pod.initContainers + pod.containers {
            for (resource, count) in container.deviceRequests {
                let claim = DeviceLedger.Claim(podUID: pod.uid, container: container.name, resource: resource)
                do {
                    guard case .devices(let kept, let missing, let available) = try ledger.need(claim, count: count, pod: pod) else { continue }
                    let ids = kept + DeviceLedger.pick(missing, from: available, preferring: preferred)
                    ledger.reserve(claim, ids)
                    ledger.assign(claim, [])
                    words.append("\(container.name)=\(ids.joined(separator: ","))")
                } catch { return "\(error)" }
            }
        }
        return words.joined(separator: " ")
    }

    @Test(
        "devices are handed out",
        arguments: [
            ([1], [], "", "c0=a"), ([2], [], "", "c0=a,b"), ([1, 1], [], "", "c0=a c1=b"), ([1], [], "b", "c0=b"), ([2], [], "x,b", "c0=b,a"),
            ([0], [], "", ""), ([1], [1], "", "i0=a c0=a"), ([1, 1], [1], "", "i0=a c0=a c1=b"), ([2], [1], "", "i0=a c0=a,b"),
            ([1], [1, 2], "", "i0=a i1=a,b c0=a"), ([0], [2], "", "i0=a,b"),
            ([3], [], "", "requested number of devices unavailable for example.com/camera. Requested: 3, Available: 2"),
            ([1, 2], [], "", "requested number of devices unavailable for example.com/camera. Requested: 2, Available: 1"),
        ] as [([Int], [Int], String, String)])
    func choice(counts: [Int], initial: [Int], preferred: String, expected: String) {
        var ledger = Self.ledger(["a": true, "b": true, "sick": false])
        let preferred = preferred.split(separator: ",").map(String.init)
        #expect(Self.admit(Self.pod("p", init: initial, counts), &ledger, preferring: preferred) == expected)
    }

    @Test("what is held, unhealthy or gone is not handed out, and what was held is kept")
    func states() {
        var ledger = Self.ledger(["a": true, "b": true])
        let (first, second) = (Self.pod("1", [1]), Self.pod("2", [1]))
        #expect(Self.admit(first, &ledger) == "c0=a")
        #expect(Self.admit(first, &ledger).isEmpty)
        #expect(
            Self.admit(Self.pod("1", [2]), &ledger)
                == "pod \"1\" container \"c0\" changed request for resource \"example.com/camera\" from 1 to 2")
        ledger.listed(Self.camera, ["a": .init(isHealthy: false), "b": .init(isHealthy: true)])
        #expect(
            Self.admit(first, &ledger)
                == "previously allocated devices are no longer healthy; cannot allocate unhealthy devices example.com/camera")
        #expect(Self.admit(second, &ledger) == "c0=b")
        #expect(ledger.amounts(now: .zero).amounts == [Self.camera: DeviceAmount(capacity: 2, allocatable: 1, held: 2)])
        let hasFreed = ledger.retain(["2"])
        #expect(hasFreed && !ledger.retain(["2"]))
        #expect(
            Self.admit(first, &ledger) == "requested number of devices unavailable for example.com/camera. Requested: 1, Available: 0")
        ledger.listed(Self.camera, ["a": .init(isHealthy: false), "b": .init(isHealthy: false)])
        #expect(Self.admit(first, &ledger) == "no healthy devices present; cannot allocate unhealthy devices example.com/camera")
        var empty = DeviceLedger()
        #expect(Self.admit(first, &empty) == "cannot allocate unregistered device example.com/camera")
    }

    @Test("a device that is reserved while its plugin thinks is nobody else's")
    func reservation() {
        var ledger = Self.ledger(["a": true])
        let claim = DeviceLedger.Claim(podUID: "1", container: "c0", resource: Self.camera)
        ledger.reserve(claim, ["a"])
        #expect(
            Self.admit(Self.pod("2", [1]), &ledger)
                == "requested number of devices unavailable for example.com/camera. Requested: 1, Available: 0")
        ledger.giveUp(claim)
        #expect(Self.admit(Self.pod("2", [1]), &ledger) == "c0=a")
    }

    @Test("a plugin that goes takes its devices along, and after five minutes the resource shows as nothing")
    func absence() {
        var ledger = Self.ledger(["a": true, "b": true])
        func shown(_ seconds: Int64) -> String {
            let (amounts, hasDropped) = ledger.amounts(now: .seconds(seconds))
            let amount = amounts[Self.camera]
            return "\(amount?.capacity ?? -1)/\(amount?.allocatable ?? -1)\(hasDropped ? " dropped" : "")"
        }
        #expect(shown(0) == "2/2")
        ledger.stopped(Self.camera, now: .seconds(10))
        ledger.stopped(Self.camera, now: .seconds(200))
        #expect(shown(11) == "2/0" && shown(310) == "2/0")
        #expect(shown(311) == "0/0 dropped" && shown(312) == "0/0")
        ledger.registered(Self.camera, needsPreStart: false, hasPreference: false)
        #expect(shown(313) == "0/0")
        ledger.listed(Self.camera, ["a": .init(isHealthy: true)])
        #expect(shown(314) == "1/1")
    }

    @Test("a plugin that registers again has its devices back with its first list")
    func again() {
        var ledger = Self.ledger(["a": true])
        ledger.stopped(Self.camera, now: .seconds(10))
        ledger.registered(Self.camera, needsPreStart: true, hasPreference: true)
        #expect(ledger.amounts(now: .seconds(11)).amounts[Self.camera]?.allocatable == 0)
        ledger.listed(Self.camera, ["a": .init(isHealthy: true)])
        #expect(ledger.amounts(now: .seconds(12)).amounts[Self.camera]?.allocatable == 1)
        #expect(ledger.resources[Self.camera]?.needsPreStart == true)
    }

    @Test(
        "names of resources that plugins may bring",
        arguments: [
            ("example.com/camera", true), ("nvidia.com/gpu", true), ("a.b/C-d_1.x", true), ("cpu", false), ("kubernetes.io/x", false),
            ("a.kubernetes.io/x", false), ("example.com/", false), ("/x", false), ("example.com/a/b", false), ("Example.com/a", false),
            ("example.com/-a", false), ("requests.example.com/a", false),
        ])
    func names(name: String, isExtended: Bool) { #expect(ResourceName.isExtended(name) == isExtended) }
}

@Suite("the checkpoint of devices")
struct CheckpointTests {
    /// As kubelets wrote them.
    static let written = [
        #"{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{"nvidia.com/gpu":["GPU-0650a168-e770-3ea8-8ac3-8a1d419763e0"]}},"Checksum":3952659280}"#,
        #"{"Data":{"PodDeviceEntries":[{"PodUID":"bf52b2cd-b611-4e79-86b1-280b283185c3","ContainerName":"check","ResourceName":"nvidia.com/gpu","DeviceIDs":{"-1":["tegra"]},"AllocResp":"Ch8KFk5WSURJQV9WSVNJQkxFX0RFVklDRVMSBXRlZ3Jh"}],"RegisteredDevices":{"nvidia.com/gpu":["tegra"]}},"Checksum":3660592824}"#,
    ]

    @Test("files of real kubelets are read, and written byte for byte", arguments: written)
    func files(text: String) throws {
        let checkpoint = try #require(DeviceCheckpoint(Array(text.utf8)))
        #expect(String(decoding: checkpoint.bytes, as: UTF8.self) == text)
    }

    @Test("the content says who holds what")
    func content() throws {
        let checkpoint = try #require(DeviceCheckpoint(Array(Self.written[1].utf8)))
        let claim = DeviceLedger.Claim(podUID: "bf52b2cd-b611-4e79-86b1-280b283185c3", container: "check", resource: "nvidia.com/gpu")
        let assignment = try #require(checkpoint.assignments[claim])
        #expect(assignment.devices == [-1: ["tegra"]])
        #expect(DeviceGrant(response: assignment.response)?.environment == ["NVIDIA_VISIBLE_DEVICES": "tegra"])
        #expect(checkpoint.devices == ["nvidia.com/gpu": ["tegra"]])
    }

    @Test("a ledger comes back with what was held and without what plugins have yet to say")
    func restore() throws {
        var ledger = LedgerTests.ledger(["a": true, "b": true])
        #expect(LedgerTests.admit(LedgerTests.pod("1", [1]), &ledger) == "c0=a")
        let checkpoint = try #require(DeviceCheckpoint(DeviceCheckpoint(ledger).bytes))
        var later = DeviceLedger()
        later.restore(checkpoint.assignments, resources: Array(checkpoint.devices.keys), now: .zero)
        #expect(later.amounts(now: .zero).amounts == [LedgerTests.camera: DeviceAmount(capacity: 0, allocatable: 0, held: 1)])
        #expect(
            LedgerTests.admit(LedgerTests.pod("2", [1]), &later)
                == "no healthy devices present; cannot allocate unhealthy devices example.com/camera")
        later.registered(LedgerTests.camera, needsPreStart: false, hasPreference: false)
        later.listed(LedgerTests.camera, ["a": .init(isHealthy: true), "b": .init(isHealthy: true)])
        #expect(LedgerTests.admit(LedgerTests.pod("2", [1]), &later) == "c0=b")
    }

    @Test(
        "a damaged file is none",
        arguments: ["", "{", written[0].replacing("0650", with: "0651"), written[1].replacing("tegra", with: "other"), #"{"Checksum":0}"#])
    func damage(text: String) { #expect(DeviceCheckpoint(Array(text.utf8)) == nil) }
}
