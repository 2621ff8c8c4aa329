import Crypto
package import Primitives

/// A container image of a few files around Debian's static busybox, made here so that no registry is needed.
///
/// It runs as a pod's pause container and as anything a shell can do; `httpd` serves `/www` on demand.
package enum BusyboxImage {
    /// The name under which it is imported; the registry part belongs to nobody, so it is never pulled.
    package static let reference = "kubeedge.local/busybox:1"

    private static let applets = [
        "ash", "awk", "cat", "chmod", "cp", "cut", "date", "dd", "df", "echo", "env", "expr", "false", "find", "grep", "head", "hostname", "httpd",
        "id", "ifconfig", "ip", "kill", "ln", "ls", "mkdir", "mkfifo", "mount", "mv", "nc", "netstat", "nslookup", "ping", "printf", "ps", "pwd",
        "readlink", "rm", "rmdir", "route", "sed", "seq", "sh", "sleep", "sort", "stat", "sync", "tail", "tar", "test", "timeout", "top", "touch",
        "tr",
        "true", "umount", "uname", "uniq", "vi", "watch", "wc", "wget", "which", "yes",
    ]

    /// The image as a docker archive, for `ctr images import`.
    ///
    /// - Parameters:
    ///   - busybox: The statically linked program.
    ///   - settings: More members of the image's `config`, such as `User` or `Entrypoint`.
    package static func archive(busybox: [UInt8], reference: String = reference, settings: [String: JSONValue] = [:]) -> [UInt8] {
        let layer = layer(busybox: busybox)
        var config: JSONValue = ["Env": ["PATH=/bin"], "Cmd": ["/bin/sleep", "2147483647"], "WorkingDir": "/"]
        for (name, value) in settings { config[name] = value }
        let configuration: JSONValue = [
            "architecture": .string(architecture), "os": "linux", "config": config,
            "rootfs": ["type": "layers", "diff_ids": [.string("sha256:" + digest(layer))]],
            "history": [["created_by": "kubeedge"]],
        ]
        let configurationBytes = configuration.encoded()
        let configurationName = digest(configurationBytes) + ".json"
        let manifest: JSONValue = [
            ["Config": .string(configurationName), "RepoTags": [.string(reference)], "Layers": ["layer.tar"]]
        ]
        var archive = TarArchive()
        archive.addFile(configurationName, configurationBytes)
        archive.addFile("layer.tar", layer)
        archive.addFile("manifest.json", manifest.encoded())
        return archive.finished()
    }

    private static func layer(busybox: [UInt8]) -> [UInt8] {
        var layer = TarArchive()
        for directory in ["bin", "etc", "root", "proc", "sys", "dev", "var", "run", "www"] { layer.addDirectory(directory) }
        layer.addDirectory("tmp", mode: 0o1777)
        layer.addFile("bin/busybox", busybox, mode: 0o755)
        for applet in applets { layer.addLink("bin/\(applet)", to: "busybox") }
        layer.addFile("etc/passwd", Array("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n".utf8))
        layer.addFile("etc/group", Array("root:x:0:\nnogroup:x:65534:\n".utf8))
        layer.addFile("www/index.html", Array("hello from the edge\n".utf8))
        return layer.finished()
    }

    private static var architecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "arm"
        #endif
    }

    private static func digest(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(SHA256.hash(data: bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] })
    }
}
