import Primitives

extension ContainerdInstance {
    /// containerd's configuration (version 2: for containerd 1.6 and 1.7, and 2.x converts it).
    nonisolated func daemonConfiguration(plugins: String) -> String {
        let directory = configuration.directory
        return """
            version = 2
            root = "\(directory)/root"
            state = "\(directory)/state"
            disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
              "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

            [grpc]
              address = "\(socket)"
            [ttrpc]
              address = "\(socket).ttrpc"
            [debug]
              level = "warn"

            [plugins."io.containerd.internal.v1.opt"]
              path = "\(directory)/opt"
            [plugins."io.containerd.grpc.v1.cri"]
              sandbox_image = "\(BusyboxImage.reference)"
              restrict_oom_score_adj = true
              netns_mounts_under_state_dir = true
              stream_server_address = "127.0.0.1"
              stream_server_port = "0"
              [plugins."io.containerd.grpc.v1.cri".cni]
                bin_dir = "\(plugins)"
                conf_dir = "\(directory)/cni"
              [plugins."io.containerd.grpc.v1.cri".containerd]
                snapshotter = "overlayfs"
                default_runtime_name = "runc"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
                  runtime_type = "io.containerd.runc.v2"
                  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
                    SystemdCgroup = false

            """
    }

    /// The pods' network: a bridge with addresses of its own range and host ports.
    nonisolated var networkConfiguration: JSONValue {
        [
            "cniVersion": "0.4.0", "name": .string("kubeedge-\(configuration.bridge)"),
            "plugins": [
                [
                    "type": "bridge", "bridge": .string(configuration.bridge), "isGateway": true, "ipMasq": true, "hairpinMode": true,
                    "ipam": [
                        "type": "host-local", "dataDir": .string(configuration.directory + "/cni/addresses"),
                        "ranges": [[["subnet": .string(configuration.podRange + ".0/24")]]], "routes": [["dst": "0.0.0.0/0"]],
                    ],
                ],
                ["type": "portmap", "capabilities": ["portMappings": true], "snat": true],
            ],
        ]
    }
}
