import Glibc

/// Lines on standard output that a reader of a pipe sees at once.
enum LineOutput {
    static func write(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = Glibc.write(STDOUT_FILENO, bytes, bytes.count)
    }
}
