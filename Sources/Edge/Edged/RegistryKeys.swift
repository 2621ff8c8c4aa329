import ContainerRuntime
import KubeMachinery
import PodCore
import Primitives

/// The credentials that a pod's `imagePullSecrets` hold, by registry (`spec/05 §17.6`).
struct RegistryKeys: Sendable {
    private struct Key {
        /// Host with port, and path, without scheme.
        var place: String
        var credentials: RegistryCredentials
    }

    private var keys: [Key] = []

    /// Reads secrets of both docker types, and docker's own files of this machine; what cannot be read is left out.
    init(secrets: [JSONValue], files: [String] = []) {
        for secret in secrets {
            let (member, isNested) = secret["type"].string == "kubernetes.io/dockercfg" ? (".dockercfg", false) : (".dockerconfigjson", true)
            guard let text = secret["data"][member].string, let bytes = Base64.decode(text), let document = try? JSONValue(parsing: bytes)
            else { continue }
            for (place, entry) in (isNested ? document["auths"] : document).members { add(place, entry) }
        }
        for file in files {
            guard let bytes = HostFiles.read(file), let document = try? JSONValue(parsing: bytes) else { continue }
            for (place, entry) in document["auths"].members { add(place, entry) }
        }
        // The most specific comes first.
        keys.sort { ($0.place.utf8.count, $1.place) > ($1.place.utf8.count, $0.place) }
    }

    private mutating func add(_ place: String, _ entry: JSONValue) {
        var user = entry["username"].string ?? ""
        var password = entry["password"].string ?? ""
        if user.isEmpty, let auth = entry["auth"].string, let bytes = Base64.decode(auth) {
            let parts = String(decoding: bytes, as: UTF8.self).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return }
            (user, password) = (String(parts[0]), String(parts[1]))
        }
        guard !user.isEmpty else { return }
        var bare = place[...]
        for scheme in ["https://", "http://"] where bare.hasPrefix(scheme) { bare = bare.dropFirst(scheme.count) }
        for suffix in ["/", "/v1", "/v2"] where bare.hasSuffix(suffix) { bare = bare.dropLast(suffix.count) }
        keys.append(Key(place: String(bare), credentials: RegistryCredentials(user: user, password: Redacted(password))))
    }

    /// What to try for an image, in order; none: anonymously.
    func credentials(for image: String) -> [RegistryCredentials] {
        let first = image.split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
        let isHost = first == "localhost" || first.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        let hasHost = isHost && image.utf8.contains(UInt8(ascii: "/"))
        let place = hasHost ? image : "docker.io/\(image)"
        return keys.filter { Self.matches($0.place, place) }.map(\.credentials)
    }

    private static func matches(_ key: String, _ image: String) -> Bool {
        let wanted = key.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let given = image.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let pattern = wanted.first, let host = given.first, matchesHost(pattern, host) else { return false }
        return wanted.count < 2 || wanted[1].isEmpty || (given.count > 1 && given[1].hasPrefix(wanted[1]))
    }

    private static func matchesHost(_ pattern: String, _ host: String) -> Bool {
        func canonical(_ name: String) -> String { ["index.docker.io", "registry-1.docker.io"].contains(name) ? "docker.io" : name }
        let (wanted, given) = (canonical(pattern), canonical(host))
        if wanted == given { return true }
        let labels = wanted.split(separator: ".", omittingEmptySubsequences: false)
        let own = given.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count == own.count else { return false }
        return zip(labels, own).allSatisfy { $0 == "*" || $0 == $1 }
    }
}
