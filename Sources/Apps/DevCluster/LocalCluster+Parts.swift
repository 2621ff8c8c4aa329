import Glibc
import KubeClient
import KubeMachinery
import KubeResources
import Primitives
import YAMLDocuments

extension LocalCluster {
    func installPackages() async throws -> String {
        let needs = [
            ("containerd", "containerd"), ("runc", "runc"), ("ip", "iproute2"), ("iptables", "iptables"), ("busybox", "busybox-static"),
        ]
        var missing = needs.filter { ChildProcess.find($0.0) == nil }.map(\.1)
        let plugins = ["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"]
        if !plugins.contains(where: { access($0, X_OK) == 0 }) { missing.append("containernetworking-plugins") }
        guard !missing.isEmpty else { return "all there" }
        let names = missing.joined(separator: " ")
        guard geteuid() == 0, ChildProcess.find("apt-get") != nil else {
            throw ClusterFailure(code: .missingProgram, message: "\(names) must be installed; run as root: apt-get install \(names)")
        }
        setenv("DEBIAN_FRONTEND", "noninteractive", 1)
        let log = "\(configuration.logDirectory)/apt.log"
        for arguments in [["update"], ["install", "-y", "--no-install-recommends"] + missing] {
            let status = try await ChildProcess("apt-get", arguments, logFile: log, clock: clock).wait(for: .seconds(600))
            guard status == 0 else {
                throw ClusterFailure(code: .startFailed, message: "apt-get \(arguments.joined(separator: " ")) failed: see \(log)")
            }
        }
        return "installed \(names)"
    }

    /// The bridge of the pods carries the node's address, which must not be loopback for pods to reach it.
    func makeBridge() async throws -> String {
        guard geteuid() == 0 else {
            throw ClusterFailure(code: .network, message: "a network for pods can only be made by root; run `sudo kubeedge up`")
        }
        let bridge = configuration.bridge
        let commands = [
            ["link", "add", "name", bridge, "type", "bridge"], ["address", "replace", "\(configuration.nodeAddress)/24", "dev", bridge],
            ["link", "set", bridge, "up"],
        ]
        for (index, arguments) in commands.enumerated() {
            if index == 0, access("/sys/class/net/\(bridge)", F_OK) == 0 { continue }
            let log = "\(configuration.logDirectory)/network.log"
            let status = try await ChildProcess("ip", arguments, logFile: log, clock: clock).wait(for: .seconds(10))
            guard status == 0 else {
                throw ClusterFailure(code: .network, message: "`ip \(arguments.joined(separator: " "))` failed: see \(log)")
            }
        }
        return "\(bridge) with \(configuration.nodeAddress)"
    }

    func startContainerd() async throws -> String {
        let instance = ContainerdInstance(configuration.containerd, clock: clock, logger: logger)
        let isNew = running("containerd") == nil
        if isNew { _ = try ensure("containerd", "containerd", try instance.prepare()) }
        let daemon = running("containerd")
        try await instance.waitUntilListening {
            guard daemon?.isRunning != true else { return }
            throw ClusterFailure(code: .stopped, message: "containerd ended; the end of its log:\n\(daemon?.logTail() ?? "")")
        }
        guard let busybox = ChildProcess.find("busybox") else {
            throw ClusterFailure(code: .missingProgram, message: "busybox is not installed: apt-get install busybox-static")
        }
        if isNew { try await instance.importImage(BusyboxImage.archive(busybox: try HostFile.read(busybox))) }
        return isNew ? "image \(BusyboxImage.reference) imported" : "runs already"
    }

    func startControlPlane() async throws -> String {
        let isNew = try ensure(
            "control-plane", ports: [(configuration.apiPort, "--api-port")], "\(configuration.programs)/kubeedge",
            ["control-plane", "--data-dir", configuration.controlPlaneDirectory, "--port", "\(configuration.apiPort)"])
        try await wait(for: "control-plane", "the Kubernetes API on 127.0.0.1:\(configuration.apiPort) answers") {
            guard access(configuration.kubeconfigPath, R_OK) == 0 else { return false }
            return try await withAPI { client in
                _ = try await client.get(Resources.namespaces, ObjectKey(name: "default"))
                return true
            }
        }
        return isNew ? "https://127.0.0.1:\(configuration.apiPort)" : "runs already"
    }

    func startCloudCore() async throws -> String {
        try HostFile.makeDirectory(configuration.cloudDirectory, mode: 0o750)
        let file = "\(configuration.cloudDirectory)/cloudcore.yaml"
        try HostFile.write(Array(YAML.text(configuration.cloudCoreDocument).utf8), to: file, mode: 0o600)
        let isNew = try ensure(
            "cloudcore",
            ports: [
                (configuration.webSocketPort, "--websocket-port"), (configuration.httpsPort, "--https-port"),
                (configuration.monitorPort, "--monitor-port"), (configuration.streamPort, "--stream-port"),
                (configuration.tunnelPort, "--tunnel-port"), (configuration.kubeletPort + 1, "--kubelet-port"),
            ],
            "\(configuration.programs)/cloudcore", ["--config", file])
        try await wait(for: "cloudcore", "cloudcore listens on \(configuration.webSocketPort) and \(configuration.httpsPort)") {
            !PortOwner.isFree(configuration.webSocketPort) && !PortOwner.isFree(configuration.httpsPort)
        }
        return isNew ? "wss://127.0.0.1:\(configuration.webSocketPort)" : "runs already"
    }

    func startEdgeCore() async throws -> String {
        try HostFile.makeDirectory(configuration.edgeDirectory, mode: 0o750)
        for part in ["certs", "manifests", "log/pods"] { try HostFile.makeDirectory("\(configuration.edgeDirectory)/\(part)", mode: 0o750) }
        var isNew = false
        if running("edgecore") == nil {
            let token = try await joinToken()
            let file = "\(configuration.edgeDirectory)/edgecore.yaml"
            try HostFile.write(Array(YAML.text(configuration.edgeCoreDocument(token: token)).utf8), to: file, mode: 0o600)
            isNew = try ensure(
                "edgecore", ports: [(configuration.kubeletPort, "--kubelet-port")], "\(configuration.programs)/edgecore", ["--config", file])
        }
        let name = configuration.nodeName
        try await wait(for: "edgecore", "node \(name) is Ready") {
            try await withAPI { client in
                let node = try await client.get(Resources.nodes, ObjectKey(name: name))
                return node.status["conditions"].elements.contains { $0["type"] == "Ready" && $0["status"] == "True" }
            }
        }
        return isNew ? "Ready" : "runs already"
    }

    /// The token that cloudcore keeps for joining nodes.
    private func joinToken() async throws -> String {
        var token = ""
        try await wait(for: "cloudcore", "a join token in secret kubeedge/tokensecret") {
            let secret = try await withAPI { try await $0.get(Resources.secrets, ObjectKey(namespace: "kubeedge", name: "tokensecret")) }
            token = secret.json["data"]["tokendata"].string.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return !token.isEmpty
        }
        return token
    }
}
