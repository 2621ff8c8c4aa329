import Glibc
import NIOPosix

/// A plain TCP client that sends exactly the bytes of a test. Its blocking calls run on threads of their own.
struct RawClient: Sendable {
    private static let threads: NIOThreadPool = {
        let threads = NIOThreadPool(numberOfThreads: 16)
        threads.start()
        return threads
    }()

    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else { throw Failure(errno: errno) }
    }

    struct Failure: Error { let errno: Int32 }

    func send(_ text: String) async { await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async {
        let descriptor = descriptor
        _ = try? await Self.threads.runIfActive { Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// One read; empty at the end of the stream.
    func read(_ count: Int = 65536) async -> [UInt8] {
        let descriptor = descriptor
        let bytes = try? await Self.threads.runIfActive {
            var buffer = [UInt8](repeating: 0, count: count)
            let got = recv(descriptor, &buffer, count, 0)
            return got > 0 ? Array(buffer[0..<got]) : []
        }
        return bytes ?? []
    }

    /// As many bytes as asked for, fewer at the end of the stream.
    func read(exactly count: Int) async -> [UInt8] {
        var whole: [UInt8] = []
        while whole.count < count {
            let some = await read(count - whole.count)
            if some.isEmpty { break }
            whole += some
        }
        return whole
    }

    /// Everything until the server closes.
    func readToEnd() async -> String {
        var whole: [UInt8] = []
        while true {
            let some = await read()
            if some.isEmpty { return String(decoding: whole, as: UTF8.self) }
            whole += some
        }
    }

    /// Reads until the text has come, or the stream has ended.
    func read(until text: String) async -> String {
        var whole = ""
        while !whole.contains(text) {
            let some = await read()
            if some.isEmpty { break }
            whole += String(decoding: some, as: UTF8.self)
        }
        return whole
    }

    /// No more bytes go out; reading goes on.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func close() { _ = Glibc.close(descriptor) }
}
