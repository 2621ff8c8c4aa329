import KubeMachinery
package import Primitives

/// What a volume of a pod is made of; the effects are the caller's (`spec/05 §19`).
package enum VolumePlan: Sendable, Hashable {
    /// Where an empty directory lives.
    package enum Medium: Sendable, Hashable { case disk, memory, hugePages(size: String?) }
    /// What a path of the host has to be, or is made to be.
    package enum HostPathType: String, Sendable {
        case unchecked = ""
        case directoryOrCreate = "DirectoryOrCreate"
        case directory = "Directory"
        case fileOrCreate = "FileOrCreate"
        case file = "File"
        case socket = "Socket"
        case characterDevice = "CharDevice"
        case blockDevice = "BlockDevice"
    }

    /// A directory of the pod (mode 0777). `sizeLimit` in bytes; for memory it is already the smallest of all limits.
    case emptyDirectory(path: String, medium: Medium, sizeLimit: Int64?)
    /// A path of the host, used as it is after the check.
    case hostPath(path: String, type: HostPathType, isReadOnly: Bool = false)
    /// Files from configMaps, secrets, fields and tokens at `path`: see `VolumeFiles`.
    case files(path: String, onMemory: Bool)
    /// A claim whose persistent volume tells the rest: see `ClaimedVolume`.
    case claim(VolumeClaim)
    /// An NFS export to mount at `path`.
    case nfs(server: String, export: String, path: String, options: [String] = [], isReadOnly: Bool)
    /// A directory of the node to bind to `path`, or a disk of the node (with its file system's type) to mount there.
    case local(source: String, path: String, fileSystem: String?, options: [String], isReadOnly: Bool)
    /// A disk of the node that containers get as it is.
    case device(path: String, isReadOnly: Bool)
    /// What this node does not do, in a sentence for the event and the status.
    case unsupported(String)

    /// Reads one element of `spec.volumes`.
    package init(_ volume: JSONValue, in pod: PodView, node: NodeFacts) {
        let name = volume["name"].string ?? ""
        func path(_ plugin: String) -> String { node.volumeDirectory(pod.uid, plugin: "kubernetes.io~\(plugin)", volume: name) }
        if let source = volume.member("emptyDir"), !source.isNull {
            self = Self.emptyDirectory(source, path: path("empty-dir"), pod, node)
        } else if volume["hostPath"].object != nil {
            let type = volume["hostPath"]["type"].string ?? ""
            guard let known = HostPathType(rawValue: type) else {
                self = .unsupported("volume \"\(name)\" has hostPath type \"\(type)\", which does not exist")
                return
            }
            self = .hostPath(path: volume["hostPath"]["path"].string ?? "", type: known)
        } else if volume["configMap"].object != nil {
            self = .files(path: path("configmap"), onMemory: false)
        } else if volume["secret"].object != nil {
            self = .files(path: path("secret"), onMemory: true)
        } else if volume["downwardAPI"].object != nil {
            self = .files(path: path("downward-api"), onMemory: true)
        } else if volume["projected"].object != nil {
            self = .files(path: path("projected"), onMemory: true)
        } else if let claim = VolumeClaim(volume, in: pod) {
            self = .claim(claim)
        } else if volume["nfs"].object != nil {
            let nfs = volume["nfs"]
            self = .nfs(
                server: nfs["server"].string ?? "", export: nfs["path"].string ?? "", path: path("nfs"), isReadOnly: nfs["readOnly"].bool ?? false)
        } else {
            let kind = volume.members.keys.first { $0 != "name" } ?? "none"
            self = .unsupported(Self.refusal("volume \"\(name)\"", kind))
        }
    }

    /// Where containers find it and whether it can be written; nil for a claim and for what is not supported.
    package var mounted: MountedVolume? {
        switch self {
        case .emptyDirectory(let path, _, _): MountedVolume(hostPath: path, isReadOnly: false)
        case .files(let path, _): MountedVolume(hostPath: path, isReadOnly: true)
        case .hostPath(let path, _, let isReadOnly), .nfs(_, _, let path, _, let isReadOnly), .local(_, let path, _, _, let isReadOnly):
            MountedVolume(hostPath: path, isReadOnly: isReadOnly)
        case .device(let path, let isReadOnly): MountedVolume(hostPath: path, isReadOnly: isReadOnly, isDevice: true)
        case .claim, .unsupported: nil
        }
    }

    private static func emptyDirectory(_ source: JSONValue, path: String, _ pod: PodView, _ node: NodeFacts) -> VolumePlan {
        let medium = source["medium"].string ?? ""
        let limit = ResourceAmounts(json: ["size": source["sizeLimit"]])["size"].flatMap { $0 > 0 ? $0 : nil }
        switch medium {
        case "": return .emptyDirectory(path: path, medium: .disk, sizeLimit: limit)
        case "Memory":
            var limits = [limit, node.allocatableMemory > 0 ? node.allocatableMemory : nil]
            let memory = pod.containers.map { $0.limits["memory"] ?? 0 }
            if !memory.isEmpty, memory.allSatisfy({ $0 > 0 }) {
                limits.append(memory.reduce(0) { Int64(clamping: Int128($0) + Int128($1)) })
            }
            return .emptyDirectory(path: path, medium: .memory, sizeLimit: limits.compactMap { $0 }.min())
        case "HugePages": return .emptyDirectory(path: path, medium: .hugePages(size: nil), sizeLimit: limit)
        case _ where medium.hasPrefix("HugePages-"):
            return .emptyDirectory(path: path, medium: .hugePages(size: String(medium.dropFirst("HugePages-".count))), sizeLimit: limit)
        default: return .unsupported("emptyDir medium \"\(medium)\" does not exist")
        }
    }
}
