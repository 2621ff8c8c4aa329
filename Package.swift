// swift-tools-version: 6.2
// The house as data: storeys from the ground up, and in each storey its rooms. `ARCHITECTURE.md` says what each room is for.
//
// A room may use rooms of lower storeys and, where its storey is `ordered`, rooms listed above it in the same storey.
// Cloud and Edge never use each other. Any other arrow stops the build with a sentence that names both rooms.

import Foundation
import PackageDescription

struct Room {
    let name: String
    var uses: [String] = []
    var libraries: [Target.Dependency] = []
    var isTested = true
    /// Rooms that only the tests of this one use.
    var testsUse: [String] = []
}

struct Storey {
    enum Order { case free, ordered, closed }

    let name: String
    /// `ordered`: a room may use those above it in the list; `closed`: rooms never use their neighbours.
    let order: Order
    var neverUses: [String] = []
    let rooms: [Room]
}

func nio(_ product: String) -> Target.Dependency { .product(name: product, package: "swift-nio") }
let ssl: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let orderedCollections: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let dequeue: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let grpc: [Target.Dependency] = [
    .product(name: "GRPCCore", package: "grpc-swift-2"),
    .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
    .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
    .product(name: "SwiftProtobuf", package: "swift-protobuf"),
]

// One room a line reads as the table it is.
// swift-format-ignore
let storeys: [Storey] = [
    Storey(name: "Base", order: .ordered, rooms: [
        Room(name: "Primitives", libraries: [orderedCollections]),
    ]),
    Storey(name: "Values", order: .ordered, rooms: [
        Room(name: "KubeMachinery", uses: ["Primitives"]),
        Room(name: "KubeResources", uses: ["Primitives", "KubeMachinery"]),
        Room(name: "EdgeMessages", uses: ["Primitives", "KubeMachinery"]),
    ]),
    Storey(name: "Cores", order: .ordered, rooms: [
        Room(name: "DeliveryCore", uses: ["Primitives", "KubeMachinery", "EdgeMessages"], libraries: [dequeue]),
        Room(name: "PodCore", uses: ["Primitives", "KubeMachinery", "KubeResources"]),
    ]),
    Storey(name: "Adapters", order: .ordered, rooms: [
        Room(name: "YAMLDocuments", uses: ["Primitives"], libraries: ["CLibYAML"]),
        Room(name: "Supervision", uses: ["Primitives", "YAMLDocuments"], libraries: [logging]),
        Room(name: "ObjectStore", uses: ["Primitives", "KubeMachinery"], libraries: [logging, "CSQLite"]),
        Room(name: "Trust", uses: ["Primitives"], libraries: [crypto, cryptoExtras, x509, asn1]),
        Room(name: "HTTPServing", uses: ["Primitives"],
             libraries: [nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOWebSocket"), ssl, crypto, logging]),
        Room(name: "EdgeTransport", uses: ["Primitives", "EdgeMessages", "DeliveryCore", "HTTPServing"],
             libraries: [nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOWebSocket"), ssl, logging], testsUse: ["Trust"]),
        Room(name: "KubeClient", uses: ["Primitives", "KubeMachinery", "YAMLDocuments"],
             libraries: [httpClient, nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), ssl, logging]),
        Room(name: "KubeServer", uses: ["Primitives", "KubeMachinery", "KubeResources", "Trust", "HTTPServing"],
             libraries: [nio("NIOCore"), logging]),
        Room(name: "ContainerRuntime", uses: ["Primitives", "PodCore"], libraries: grpc + [nio("NIOCore"), logging]),
        Room(name: "DevicePlugins", uses: ["Primitives", "PodCore"], libraries: grpc + [nio("NIOCore"), nio("NIOPosix"), logging],
             testsUse: ["KubeMachinery"]),
    ]),
    Storey(name: "Cloud", order: .closed, rooms: [
        Room(name: "CloudHub",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "KubeClient", "Supervision", "Trust",
                    "HTTPServing", "EdgeTransport"],
             libraries: [logging, heap]),
        Room(name: "EdgeController",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "KubeClient", "Supervision"],
             libraries: [logging]),
        Room(name: "CloudStream",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "Supervision", "Trust", "HTTPServing",
                    "EdgeTransport"],
             libraries: [logging]),
        Room(name: "SyncController",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "KubeClient", "Supervision"],
             libraries: [logging]),
    ]),
    Storey(name: "Edge", order: .closed, neverUses: ["Cloud"], rooms: [
        Room(name: "EdgeHub",
             uses: ["Primitives", "KubeMachinery", "EdgeMessages", "DeliveryCore", "Supervision", "Trust", "EdgeTransport"],
             libraries: [logging]),
        Room(name: "EdgeStream", uses: ["Primitives", "EdgeMessages", "DeliveryCore", "HTTPServing", "EdgeTransport"], libraries: [logging]),
        Room(name: "MetaManager",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "PodCore", "ObjectStore", "Supervision"],
             libraries: [logging]),
        Room(name: "Edged",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "PodCore", "YAMLDocuments", "ContainerRuntime", "Supervision"],
             libraries: [nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), ssl, logging, "CZLib"] + grpc),
        Room(name: "KubeletServer",
             uses: ["Primitives", "KubeMachinery", "PodCore", "ContainerRuntime", "HTTPServing", "Supervision"],
             libraries: [nio("NIOCore"), nio("NIOPosix"), logging]),
    ]),
    Storey(name: "Apps", order: .ordered, rooms: [
        Room(name: "CloudCoreApp",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "KubeClient", "YAMLDocuments", "Supervision", "Trust",
                    "DeliveryCore", "HTTPServing", "EdgeTransport", "CloudHub", "CloudStream", "EdgeController", "SyncController"],
             libraries: [logging, "CMalloc"]),
        Room(name: "EdgeCoreApp",
             uses: ["Primitives", "KubeMachinery", "YAMLDocuments", "Supervision", "Trust", "DeliveryCore", "PodCore", "ObjectStore",
                    "ContainerRuntime", "DevicePlugins", "EdgeTransport", "EdgeMessages", "EdgeHub", "EdgeStream", "MetaManager", "Edged",
                    "KubeletServer"],
             libraries: [logging, nio("NIOCore"), nio("NIOPosix"), "CMalloc"]),
        Room(name: "ControlPlane",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "KubeClient", "KubeServer", "ObjectStore", "Trust", "HTTPServing",
                    "EdgeTransport", "Supervision", "YAMLDocuments"],
             libraries: [logging]),
        Room(name: "DevCluster",
             uses: ["Primitives", "KubeMachinery", "KubeClient", "YAMLDocuments", "KubeResources", "PodCore", "ContainerRuntime"],
             libraries: [logging, crypto, nio("NIOPosix")]),
        Room(name: "HollowNodes",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "PodCore", "Trust", "EdgeTransport", "EdgeHub",
                    "KubeClient"],
             libraries: [logging], isTested: false),
    ]),
    Storey(name: "Testing", order: .ordered, rooms: [
        Room(name: "EdgeTesting",
             uses: ["Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "PodCore", "EdgeTransport", "ContainerRuntime",
                    "DevicePlugins"],
             libraries: grpc + [logging, nio("NIOPosix")], isTested: false),
        Room(name: "TidyRules", uses: ["Primitives"]),
    ]),
    Storey(name: "Executables", order: .closed, rooms: [
        Room(name: "cloudcore", uses: ["CloudCoreApp"], isTested: false),
        Room(name: "edgecore", uses: ["EdgeCoreApp"], isTested: false),
        Room(name: "kubeedge", uses: ["Primitives", "KubeMachinery", "ObjectStore", "PodCore", "ContainerRuntime", "ControlPlane", "DevCluster", "HollowNodes", "Supervision"],
             libraries: [arguments, logging, nio("NIOCore"), nio("NIOPosix")], isTested: false),
        Room(name: "tidy", uses: ["TidyRules"], isTested: false),
    ]),
]

/// C libraries of Debian's `-dev` packages.
let systemLibraries: [Target] = [
    .systemLibrary(name: "CSQLite", path: "Sources/Adapters/CSQLite", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CMalloc", path: "Sources/Adapters/CMalloc"),
    .systemLibrary(name: "CZLib", path: "Sources/Adapters/CZLib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CLibYAML", path: "Sources/Adapters/CLibYAML", providers: [.apt(["libyaml-dev"])]),
]

/// Suites that stand on several rooms at once.
let suites: [Room] = [
    Room(
        name: "Containers",
        uses: [
            "Primitives", "KubeMachinery", "PodCore", "ContainerRuntime", "DevicePlugins", "HTTPServing", "Edged", "KubeletServer", "EdgeTesting",
            "DevCluster",
        ],
        libraries: [nio("NIOCore"), nio("NIOPosix"), logging]),
    Room(name: "Golden", uses: ["Primitives", "EdgeMessages", "DeliveryCore"]),
    Room(
        name: "Loopback",
        uses: [
            "Primitives", "KubeMachinery", "KubeResources", "EdgeMessages", "DeliveryCore", "ObjectStore", "HTTPServing", "CloudHub", "CloudStream",
            "EdgeHub", "EdgeStream", "EdgeTransport", "KubeClient", "MetaManager", "Trust", "EdgeTesting",
        ], libraries: [logging, nio("NIOCore"), nio("NIOPosix"), ssl]),
    Room(
        name: "Network",
        uses: [
            "Primitives", "KubeMachinery", "KubeResources", "KubeClient", "EdgeMessages", "DeliveryCore", "EdgeTransport", "EdgeHub", "DevCluster",
            "HollowNodes", "EdgeTesting", "Trust", "kubeedge", "cloudcore",
        ],
        libraries: [logging]),
    Room(name: "Simulation", uses: ["Primitives", "EdgeMessages", "DeliveryCore", "EdgeTesting"]),
    Room(
        name: "EndToEnd",
        uses: ["Primitives", "KubeMachinery", "KubeResources", "KubeClient", "DevCluster", "EdgeTesting", "kubeedge", "cloudcore", "edgecore"],
        libraries: [logging]),
]

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]

/// Rooms of the edge that are large and not pressed for time are compiled for size.
let small: Set<String> = [
    "ContainerRuntime", "DevicePlugins", "EdgeCoreApp", "Edged", "EdgeHub", "EdgeStream", "KubeletServer", "KubeResources", "MetaManager", "PodCore",
    "Supervision", "Trust", "YAMLDocuments",
]
let smallCode: [SwiftSetting] = [.unsafeFlags(["-Osize"], .when(configuration: .release))]

/// `docs/decisions/06-program-size.md`: symbols that nobody looks up stay out, and relocations are packed.
let programLinking: [LinkerSetting] = [
    .unsafeFlags(
        ["-use-ld=lld", "-Xlinker", "--no-export-dynamic", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"], .when(configuration: .release))
]

// MARK: - The arrows

struct Place { let storey: Int, position: Int }

var places: [String: Place] = [:]
for (index, storey) in storeys.enumerated() {
    for (position, room) in storey.rooms.enumerated() { places[room.name] = Place(storey: index, position: position) }
}

func refuse(_ sentence: String) -> Never {
    FileHandle.standardError.write(Data("Package.swift: \(sentence)\n".utf8))
    exit(1)
}

for (index, storey) in storeys.enumerated() {
    for (position, room) in storey.rooms.enumerated() {
        for used in room.uses {
            guard let place = places[used] else { refuse("\(room.name) uses \(used), which is no room of the house.") }
            let usedStorey = storeys[place.storey]
            if place.storey > index {
                refuse("\(room.name) (\(storey.name)) may not use \(used) (\(usedStorey.name)): arrows point only downward.")
            }
            if place.storey == index, storey.order == .closed || place.position >= position {
                refuse("\(room.name) may not use its neighbour \(used) in \(storey.name).")
            }
            if storey.neverUses.contains(usedStorey.name) {
                refuse("\(room.name) (\(storey.name)) may not use \(used) (\(usedStorey.name)): they meet in the wire values only.")
            }
        }
    }
}

// MARK: - What to build

/// `ROOMS=PodCore,EdgeMessages swift test` loads only these rooms, what they use, and their tests.
let focus = Context.environment["ROOMS"].map { Set($0.split(separator: ",").map(String.init)) }

func isWanted(_ room: Room) -> Bool { focus?.contains(room.name) ?? true }

let roomByName = Dictionary(uniqueKeysWithValues: storeys.flatMap(\.rooms).map { ($0.name, $0) })
let needed: Set<String> = {
    var needed: Set<String> = []
    var open = storeys.flatMap(\.rooms).filter(isWanted).flatMap { [$0.name] + $0.testsUse } + suites.filter(isWanted).flatMap(\.uses)
    while let name = open.popLast() {
        if needed.insert(name).inserted { open += roomByName[name]?.uses ?? [] }
    }
    return needed
}()

let targetPath = { (storey: Storey, room: Room) in
    storey.name == "Testing" ? "Testing/\(room.name)" : "Sources/\(storey.name)/\(room.name)"
}
func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/\(path)") }

let built = Set(
    storeys.flatMap { storey in storey.rooms.filter { needed.contains($0.name) && exists(targetPath(storey, $0)) }.map(\.name) })

/// Programs are built for the suites that start them, not linked into them.
let programs = Set(storeys.filter { $0.name == "Executables" }.flatMap(\.rooms).map(\.name))
func isLinkable(_ name: String) -> Bool { built.contains(name) && !programs.contains(name) }

var targets: [Target] = systemLibraries
for storey in storeys {
    for room in storey.rooms where built.contains(room.name) {
        let dependencies = room.uses.filter(built.contains).map { Target.Dependency(stringLiteral: $0) } + room.libraries
        let path = targetPath(storey, room)
        if storey.name == "Executables" {
            targets.append(
                .executableTarget(name: room.name, dependencies: dependencies, path: path, swiftSettings: settings, linkerSettings: programLinking))
        } else {
            let ownSettings = small.contains(room.name) ? settings + smallCode : settings
            targets.append(.target(name: room.name, dependencies: dependencies, path: path, swiftSettings: ownSettings))
        }
        let tests = "Tests/\(room.name)Tests"
        if room.isTested, isWanted(room), exists(tests) {
            let extra: [Target.Dependency] =
                room.testsUse.map { Target.Dependency(stringLiteral: $0) }
                + (built.contains("EdgeTesting") && storey.name != "Testing" ? ["EdgeTesting"] : [])
            targets.append(
                .testTarget(
                    name: "\(room.name)Tests", dependencies: [Target.Dependency(stringLiteral: room.name)] + dependencies + extra,
                    path: tests, swiftSettings: settings))
        }
    }
}
for suite in suites where isWanted(suite) && exists("Tests/\(suite.name)") {
    targets.append(
        .testTarget(
            name: suite.name, dependencies: suite.uses.filter(isLinkable).map { Target.Dependency(stringLiteral: $0) } + suite.libraries,
            path: "Tests/\(suite.name)", exclude: exists("Tests/\(suite.name)/Captures") ? ["Captures"] : [], swiftSettings: settings))
}

let package = Package(
    name: "kubeedge",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: targets
)
