import Primitives
import Supervision
import Testing

@Suite("Arguments and configuration files")
struct ConfigurationTests {
    static let flags: [CommandLineArguments.Flag] = [
        .init("config", help: "file"), .init("defaultconfig", .switching, help: "print"), .init("v", short: "v", .number, help: "level"),
    ]

    static let accepted: [([String], String?, Bool, Int?)] = [
        ([], nil, false, nil), (["--config=x"], "x", false, nil), (["--config", "x"], "x", false, nil), (["--config="], "", false, nil),
        (["-v", "4"], nil, false, 4), (["-v=4"], nil, false, 4), (["-v4"], nil, false, 4), (["--v=4"], nil, false, 4), (["--v", "4"], nil, false, 4),
        (["--defaultconfig"], nil, true, nil), (["--defaultconfig=false"], nil, false, nil), (["--defaultconfig", "x", "--v", "1"], nil, true, 1),
        (["ignored", "--config", "--v"], "--v", false, nil), (["--", "--v=4"], nil, false, nil), (["--config=a", "--config=b=c"], "b=c", false, nil),
    ]

    @Test("flags in Go's manner", arguments: accepted)
    func arguments(arguments: [String], config: String?, isDefault: Bool, verbosity: Int?) throws {
        let parsed = try CommandLineArguments(arguments, flags: Self.flags)
        #expect(parsed.text("config") == config)
        #expect(parsed.isOn("defaultconfig") == isDefault)
        #expect(parsed.number("v") == verbosity)
    }

    @Test(
        "flags that make no sense are refused",
        arguments: [
            (["--confg=x"], "unknown flag: --confg"), (["--config"], "flag needs an argument: --config"),
            (["--v=x"], "invalid argument \"x\" for \"--v\" flag"),
            (["--defaultconfig=maybe"], "invalid argument \"maybe\" for \"--defaultconfig\" flag"),
            (["-x"], "unknown shorthand flag: 'x' in -x"),
        ])
    func refused(arguments: [String], message: String) {
        let error = #expect(throws: ArgumentError.self) { try CommandLineArguments(arguments, flags: Self.flags) }
        #expect(error?.message == message)
    }

    static let durations: [(String, Duration?)] = [
        ("0", .zero), ("10s", .seconds(10)), ("1m0s", .seconds(60)), ("1h30m", .seconds(5400)), ("1.5h", .seconds(5400)),
        ("100ms", .milliseconds(100)),
        ("-2s", .seconds(-2)), ("3us", .microseconds(3)), ("", nil), ("10", nil), ("s", nil), ("1x", nil), (".s", nil), ("1..2s", nil),
        ("9999999999h", nil), ("1 s", nil),
    ]

    @Test("Go's durations", arguments: durations)
    func goDurations(text: String, duration: Duration?) { #expect(GoDuration.parse(text) == duration) }

    static let schema = ConfigurationSchema([
        .object(
            "modules",
            [
                .object(
                    "hub",
                    [
                        .bool("enable", true), .int32("nodeLimit", 500), .texts("addresses", ["10.0.0.1"]), .text("name", "x"), .uint32("port", 1),
                        .text("gone", nil),
                        .duration("period", "10s"), .float("factor", "0.9"),
                    ]),
                .object("empty", [.text("a", nil)]),
            ]),
        .boolMap("featureGates"), .textMap("labels", ["a": "1"]), .objects("taints", of: [.text("key", nil), .text("effect", nil)]),
    ])

    @Test("what a table of fields says by default; keys without a default are left out")
    func defaults() {
        #expect(
            Self.schema.defaults == [
                "modules": [
                    "hub": [
                        "enable": true, "nodeLimit": 500, "addresses": ["10.0.0.1"], "name": "x", "port": 1, "period": "10s",
                        "factor": .decimal("0.9"),
                    ]
                ], "labels": ["a": "1"],
            ])
    }

    static let laid: [(JSONValue, JSONValue)] = [
        (["MODULES": ["Hub": ["NODELIMIT": 7]]], 7), (["modules": nil], 500), (["modules": ["hub": nil]], 500),
        (["modules": ["hub": ["nodeLimit": nil]]], 500),
        (["unknown": [1], "apiVersion": "v9"], 500), (nil, 500),
    ]

    @Test("a file is laid over the defaults, keys in any case, null and unknown keys change nothing", arguments: laid)
    func laying(document: JSONValue, limit: JSONValue) throws {
        #expect(try Self.schema.decode(document).at("modules", "hub", "nodeLimit") == limit)
    }

    @Test("maps merge, lists replace, numbers are texts where texts are wanted")
    func merging() throws {
        let values = try Self.schema.decode([
            "labels": ["b": 2, "c": true], "modules": ["hub": ["addresses": ["10.0.0.2", 3], "name": 12, "gone": "here"]],
            "featureGates": ["x": true],
            "taints": [["Key": "k", "effect": "NoSchedule", "other": 1]],
        ])
        #expect(values["labels"] == ["a": "1", "b": "2", "c": "true"])
        #expect(values.at("modules", "hub", "addresses") == ["10.0.0.2", "3"])
        #expect(values.at("modules", "hub", "name") == "12")
        #expect(values.at("modules", "hub", "gone") == "here")
        #expect(values["featureGates"] == ["x": true])
        #expect(values["taints"] == [["key": "k", "effect": "NoSchedule"]])
    }

    @Test("values of a wrong type are named, all at once")
    func wrongTypes() throws {
        let document: JSONValue = [
            "modules": ["hub": ["enable": "yes", "nodeLimit": 99_999_999_999, "port": -1, "period": 5, "addresses": "a", "factor": "b"]],
            "featureGates": ["x": 1], "labels": [1], "taints": [["key": []]],
        ]
        let error = try #require(throws: ConfigurationError.self) { try Self.schema.decode(document) }
        #expect(
            error.problems.map(\.description) == [
                "modules.hub.enable: cannot use string \"yes\" as bool", "modules.hub.nodeLimit: cannot use number 99999999999 as int32",
                "modules.hub.port: cannot use number -1 as uint32", "modules.hub.period: cannot use number 5 as duration such as 10s or 1m30s",
                "modules.hub.addresses: cannot use string \"a\" as []string", "modules.hub.factor: cannot use string \"b\" as float64",
                "featureGates.x: cannot use number 1 as bool", "labels: cannot use array as map", "taints.key: cannot use array as string",
            ])
        #expect(error.description.hasPrefix("[\n  modules.hub.enable: "))
    }

    static let command = ProgramCommand(
        name: "cloudcore", version: "v1.17.0", summary: "The cloud's side.", schema: schema,
        minimum: schema.excerpt(["modules.hub.port"], replacing: [:]),
        identity: ["kind": "CloudCore"])

    @Test("the command line decides what is printed")
    func printing() throws {
        let outcome = { (arguments: [String]) in Self.command.evaluate(arguments, read: { _ in nil }) }
        guard case .show("KubeEdge v1.17.0\n") = outcome(["--version"]) else { Issue.record("no version"); return }
        guard case .show(let minimum) = outcome(["--minconfig", "--defaultconfig"]) else { Issue.record("no minimum"); return }
        #expect(minimum.hasSuffix("\n\nkind: CloudCore\nmodules:\n  hub:\n    port: 1\n\n\n"))
        #expect(minimum.split(separator: "\n").prefix { $0.hasPrefix("#") }.count == 3)
        guard case .show(let defaults) = outcome(["--defaultconfig"]) else { Issue.record("no defaults"); return }
        #expect(defaults.contains("\n    nodeLimit: 500\n"))
        guard case .refuse(let missing) = outcome([]) else { Issue.record("no refusal"); return }
        #expect(missing.hasPrefix("[\n  config: Required value: config file /etc/kubeedge/config/cloudcore.yaml not exist."))
        guard case .refuse(let unknown) = outcome(["--nope"]) else { Issue.record("no refusal"); return }
        #expect(unknown.hasPrefix("Error: unknown flag: --nope\n"))
    }

    @Test("the file that is printed is a file that is read")
    func roundTrip() throws {
        guard case .show(let text) = Self.command.evaluate(["--defaultconfig"], read: { _ in nil }) else { Issue.record("no defaults"); return }
        guard case .run(let start) = Self.command.evaluate(["--config", "/x", "-v", "3"], read: { path in path == "/x" ? text : nil }) else {
            Issue.record("not read back")
            return
        }
        #expect(start.values == Self.schema.defaults)
        #expect(start.verbosity == 3)
    }

    @Test("broken files say where")
    func broken() {
        guard case .refuse(let message) = Self.command.evaluate([], read: { _ in "a: [1" }) else { Issue.record("accepted"); return }
        #expect(message.hasPrefix("Error: the configuration file is no YAML: line "))
    }
}
