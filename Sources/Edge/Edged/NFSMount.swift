import Glibc
import PodCore
import Primitives
import Supervision

/// Mounts a share of an NFS server (`spec/05 §19.13`).
///
/// Through the system's mount program, which finds mount.nfs; where that is not installed the kernel alone may do it (NFS 4, a server
/// given by its address).
struct NFSMount: Sendable {
    let server: String
    let export: String
    let options: [String]
    /// How long the server may take.
    var limit = Duration.seconds(120)

    func mount(at path: String) async throws {
        guard !server.isEmpty, !server.hasPrefix("-"), export.hasPrefix("/") else {
            throw EdgedFailure(
                code: .volume, message: "NFS share \"\(server):\(export)\" is none: give server and an absolute path", isRetryable: false)
        }
        let hasHelper = HelperProgram.find("mount.nfs") != nil
        if !hasHelper, !isAddress {
            throw EdgedFailure(
                code: .volume,
                message: "NFS share \(server):\(export) needs mount.nfs, which is not on this node: install the package nfs-common, "
                    + "or give the server's IP address")
        }
        let host = server.utf8.contains(UInt8(ascii: ":")) ? "[\(server)]" : server
        let result = try await HelperProgram.mount(
            "\(host):\(export)", at: path, type: hasHelper ? "nfs" : "nfs4", options: options + (hasHelper ? [] : ["addr=\(server)", "vers=4.2"]),
            isInternal: !hasHelper, limit: limit)
        guard result.status != 0 else { return }
        let advice = hasHelper ? "check the server, its exports and the network" : "check the server, or install the package nfs-common on this node"
        throw EdgedFailure(code: .volume, message: "NFS share \(server):\(export) was not mounted: \(result.output) (\(advice))")
    }

    private var isAddress: Bool {
        var buffer = in6_addr()
        return inet_pton(AF_INET, server, &buffer) == 1 || inet_pton(AF_INET6, server, &buffer) == 1
    }
}
