import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import Glibc
import NIOPosix

/// The kubelet's own socket, on which device plugins register (`spec/05 §29.1`).
struct RegistrationServer: Sendable {
    static let socketName = "kubelet.sock"

    let directory: String
    let group: MultiThreadedEventLoopGroup
    /// Connects to a plugin that has registered; throws why it is refused.
    let register: @Sendable (V1beta1_RegisterRequest) async throws(DeviceFailure) -> Void

    private var path: String { "\(directory)/\(Self.socketName)" }

    /// Serves until the task is cancelled. Throws where the socket cannot be had.
    func run() async throws {
        try prepare()
        let transport = HTTP2ServerTransport.Posix(
            address: .unixDomainSocket(path: path), transportSecurity: .plaintext, eventLoopGroup: group)
        var router = RPCRouter<HTTP2ServerTransport.Posix>()
        router.registerHandler(
            forMethod: .register, deserializer: ProtobufDeserializer<V1beta1_RegisterRequest>(), serializer: ProtobufSerializer<V1beta1_Empty>()
        ) { [register] request, _ in
            let request = try await ServerRequest(stream: request)
            do { try await register(request.message) } catch { throw RPCError(code: .unknown, message: "\(error)") }
            return StreamingServerResponse(single: ServerResponse(message: V1beta1_Empty()))
        }
        let server = GRPCServer(transport: transport, router: router)
        try await withTaskCancellationHandler {
            try await server.serve()
        } onCancel: {
            server.beginGracefulShutdown()
        }
        try Task.checkCancellation()
    }

    /// Makes the directory. A socket that another program answers on stays with that program.
    private func prepare() throws(DeviceFailure) {
        try CheckpointFile.makeDirectory(directory)
        if UnixSocket.answers(path) {
            throw DeviceFailure("another program serves \(path): device plugins register there; stop it, or run without device plugins")
        }
    }
}

/// Facts about unix sockets of the file system.
enum UnixSocket {
    /// Whether some program accepts connections there now.
    static func answers(_ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 || errno == EAGAIN
            }
        }
    }

    /// The inode of a socket; nil where the path is no socket.
    static func inode(_ path: String) -> UInt64? {
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return UInt64(information.st_ino)
    }
}
