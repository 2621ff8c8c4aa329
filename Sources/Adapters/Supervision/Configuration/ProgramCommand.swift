package import Primitives
import YAMLDocuments

/// The command line that cloudcore and edgecore share (`spec/02 §4.1`), from arguments to a decoded configuration.
package struct ProgramCommand: Sendable {
    /// What the arguments ask for.
    package enum Outcome: Sendable {
        /// Print to standard output, exit 0.
        case show(String)
        /// Print to standard error, exit 1.
        case refuse(String)
        case run(Start)
    }

    /// How to run.
    package struct Start: Sendable {
        /// Every value of the schema, defaults filled in.
        package var values: JSONValue
        package var configurationPath: String
        package var verbosity: Int
        package var logsAsJSON: Bool
    }

    /// `cloudcore` or `edgecore`.
    let name: String
    let version: String
    let summary: String
    let schema: ConfigurationSchema
    /// What `--minconfig` prints.
    let minimum: JSONValue
    /// `apiVersion` and `kind` of the file.
    let identity: JSONObject

    package init(name: String, version: String, summary: String, schema: ConfigurationSchema, minimum: JSONValue, identity: JSONObject) {
        self.name = name
        self.version = version
        self.summary = summary
        self.schema = schema
        self.minimum = minimum
        self.identity = identity
    }

    /// Decides from the arguments (without the program's name); `read` gives a file's text, nil where there is none.
    package func evaluate(_ arguments: [String], read: (String) throws -> String?) -> Outcome {
        do {
            let parsed = try CommandLineArguments(arguments, flags: flags)
            if parsed.isOn("help") { return .show(usage) }
            if parsed.isOn("version") { return .show("KubeEdge \(version)\n") }
            if parsed.isOn("minconfig") { return .show(file(minimum, readers: "Only what most installations set is listed.")) }
            if parsed.isOn("defaultconfig") { return .show(file(schema.defaults, readers: "Every key is listed with its default.")) }
            let path = parsed.text("config") ?? defaultPath
            guard let text = try read(path) else {
                let advice =
                    "config file \(path) not exist. For the configuration file format, please refer to --minconfig and --defaultconfig command"
                throw ConfigurationError(problems: [.required("config", advice)])
            }
            let values = try schema.decode(try YAML.parse(text))
            return .run(
                Start(
                    values: values, configurationPath: path, verbosity: parsed.number("v") ?? 0,
                    logsAsJSON: parsed.text("log-format") == "json"))
        } catch let error as ArgumentError {
            return .refuse("Error: \(error)\n\n\(usage)")
        } catch let error as YAMLError {
            return .refuse("Error: the configuration file is no YAML: \(error)\n")
        } catch let error as ConfigurationError {
            return .refuse("\(error)\n")
        } catch {
            return .refuse("Error: \(error)\n")
        }
    }

    private var defaultPath: String { "/etc/kubeedge/config/\(name).yaml" }

    private var flags: [CommandLineArguments.Flag] {
        [
            .init("config", help: "configuration file (default \(defaultPath))"),
            .init("defaultconfig", .switching, help: "print the default configuration and exit"),
            .init("minconfig", .switching, help: "print a minimal configuration and exit"),
            .init("version", .switching, help: "print the version and exit"),
            .init("v", short: "v", .number, help: "verbosity of the log: 0 to 2 information, 3 and 4 details, 5 and more everything"),
            .init("log-format", help: "text or json (default text)"),
            .init("vmodule", help: "accepted for compatibility, has no effect"),
            .init("log-flush-frequency", help: "accepted for compatibility, has no effect"),
            .init("help", short: "h", .switching, help: "print this help"),
        ]
    }

    private var usage: String { "\(summary)\n\nUsage:\n  \(name) [flags]\n\nFlags:\n\(CommandLineArguments.usage(flags))" }

    private func file(_ values: JSONValue, readers: String) -> String {
        var document = JSONValue.object(identity)
        for (key, value) in values.members { document[key] = value }
        return """
            # Configuration of \(name), KubeEdge \(version), for --config.
            # \(readers)
            # Addresses and names are those of this machine.

            \(YAML.text(document, sortedKeys: true))


            """
    }
}
