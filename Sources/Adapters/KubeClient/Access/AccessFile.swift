import FoundationEssentials

/// Reads the files that a kubeconfig or a pod's service account names.
enum AccessFile {
    /// The text of a file up to 1 MiB; `purpose` goes into the error.
    static func text(_ path: String, for purpose: String) throws(KubeClientError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw KubeClientError(code: .file, message: "cannot read \(path), which holds \(purpose): it is missing or not readable by this user")
        }
        guard data.count <= 1 << 20, let text = String(validating: data, as: UTF8.self) else {
            throw KubeClientError(code: .file, message: "\(path), which should hold \(purpose), is over 1 MiB or no text")
        }
        return text
    }

    /// The text behind a base64 member of a kubeconfig.
    static func decoded(_ base64: String, member: String) throws(KubeClientError) -> String {
        guard let data = Data(base64Encoded: base64, options: .ignoreUnknownCharacters), let text = String(validating: data, as: UTF8.self),
            !text.isEmpty
        else { throw KubeClientError(code: .kubeconfig, message: "\(member) in the kubeconfig is not base64 of a PEM text") }
        return text
    }
}
