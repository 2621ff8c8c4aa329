import Primitives

/// Where a cluster on one machine lives and how it is reached.
package struct LocalClusterConfiguration: Sendable {
    /// Everything the cluster writes is below this folder, an absolute path.
    package var dataDirectory = "/var/lib/kubeedge-up"
    package var nodeName = "edge-1"
    /// An existing cluster's kubeconfig; nil: the embedded control plane.
    package var kubeconfig: String?
    /// The folder with `kubeedge`, `cloudcore` and `edgecore`.
    package var programs: String
    package var apiPort: UInt16 = 6443
    package var webSocketPort: UInt16 = 10000
    package var httpsPort: UInt16 = 10002
    package var monitorPort: UInt16 = 9091
    /// Where the API server asks cloudcore for logs and commands, and where nodes open their tunnels for them.
    package var streamPort: UInt16 = 10003
    package var tunnelPort: UInt16 = 10004
    /// The kubelet's own port on the loopback; the one above it stands for the kubelet at cloudcore.
    package var kubeletPort: UInt16 = 10350
    /// The name of the pods' bridge, at most 15 bytes; its first address is the node's.
    package var bridge = "kubeedge0"
    /// The first three numbers of the pods' /24.
    package var podRange = "10.88.77"
    /// How long one step may wait for what it started.
    package var patience = Duration.seconds(60)

    package init(programs: String) { self.programs = programs }

    package var nodeAddress: String { "\(podRange).1" }
    package var kubeconfigPath: String { kubeconfig ?? "\(controlPlaneDirectory)/kubeconfig" }
    var controlPlaneDirectory: String { "\(dataDirectory)/control-plane" }
    var cloudDirectory: String { "\(dataDirectory)/cloud" }
    var edgeDirectory: String { "\(dataDirectory)/edge" }
    var containerdDirectory: String { "\(dataDirectory)/containerd" }
    var logDirectory: String { "\(dataDirectory)/log" }
    var podLogDirectory: String { "\(edgeDirectory)/log/pods" }
    var recordPath: String { "\(dataDirectory)/cluster.json" }

    var containerd: ContainerdInstance.Configuration {
        ContainerdInstance.Configuration(directory: containerdDirectory, bridge: bridge, podRange: podRange)
    }
}

extension LocalClusterConfiguration {
    /// `cloudcore.yaml` of this cluster.
    var cloudCoreDocument: JSONValue {
        [
            "apiVersion": "cloudcore.config.kubeedge.io/v1alpha2", "kind": "CloudCore",
            "commonConfig": [
                "monitorServer": ["bindAddress": .string("127.0.0.1:\(monitorPort)")], "tunnelPort": .integer(Int64(kubeletPort)),
            ],
            "kubeAPIConfig": ["kubeConfig": .string(kubeconfigPath)],
            "modules": [
                "cloudHub": [
                    "advertiseAddress": ["127.0.0.1", .string(nodeAddress)], "dnsNames": ["localhost"],
                    "tlsCAFile": .string("\(cloudDirectory)/rootCA.crt"), "tlsCAKeyFile": .string("\(cloudDirectory)/rootCA.key"),
                    "tlsCertFile": .string("\(cloudDirectory)/server.crt"), "tlsPrivateKeyFile": .string("\(cloudDirectory)/server.key"),
                    "unixsocket": ["enable": false, "address": .string("unix://\(cloudDirectory)/kubeedge.sock")],
                    "websocket": ["enable": true, "address": "127.0.0.1", "port": .integer(Int64(webSocketPort))],
                    "https": ["enable": true, "address": "127.0.0.1", "port": .integer(Int64(httpsPort))],
                ],
                // cloudcore serves the kubelets' port itself, and the machine's rules are left alone.
                "iptablesManager": ["enable": false],
                "cloudStream": [
                    "enable": true, "streamPort": .integer(Int64(streamPort)), "tunnelPort": .integer(Int64(tunnelPort)),
                    "tlsStreamCAFile": .string("\(cloudDirectory)/streamCA.crt"), "tlsStreamCertFile": .string("\(cloudDirectory)/stream.crt"),
                    "tlsStreamPrivateKeyFile": .string("\(cloudDirectory)/stream.key"),
                ],
            ],
        ]
    }

    /// `edgecore.yaml` of this cluster's node, which joins with `token`.
    func edgeCoreDocument(token: String) -> JSONValue {
        [
            "apiVersion": "edgecore.config.kubeedge.io/v1alpha2", "kind": "EdgeCore",
            "database": ["dataSource": .string("\(edgeDirectory)/edgecore.db")],
            "modules": [
                "edged": [
                    "hostnameOverride": .string(nodeName), "nodeIP": .string(nodeAddress), "rootDirectory": .string("\(edgeDirectory)/edged"),
                    "tailoredKubeletConfig": [
                        "containerRuntimeEndpoint": .string("unix://\(containerdDirectory)/containerd.sock"),
                        "imageServiceEndpoint": .string("unix://\(containerdDirectory)/containerd.sock"),
                        "staticPodPath": .string("\(edgeDirectory)/manifests"), "podLogsDir": .string(podLogDirectory),
                        // How full the developer's disk is says nothing about this node.
                        "evictionHard": ["nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"],
                        "readOnlyPort": .integer(Int64(kubeletPort)),
                    ],
                ],
                "edgeHub": [
                    "httpServer": .string("https://127.0.0.1:\(httpsPort)"), "token": .string(token),
                    "tlsCaFile": .string("\(edgeDirectory)/certs/rootCA.crt"), "tlsCertFile": .string("\(edgeDirectory)/certs/server.crt"),
                    "tlsPrivateKeyFile": .string("\(edgeDirectory)/certs/server.key"),
                    "websocket": ["enable": true, "server": .string("127.0.0.1:\(webSocketPort)")],
                ],
                "edgeStream": [
                    "enable": true, "server": .string("127.0.0.1:\(tunnelPort)"), "tlsTunnelCAFile": .string("\(edgeDirectory)/certs/rootCA.crt"),
                    "tlsTunnelCertFile": .string("\(edgeDirectory)/certs/server.crt"),
                    "tlsTunnelPrivateKeyFile": .string("\(edgeDirectory)/certs/server.key"),
                ],
                "eventBus": ["enable": false], "deviceTwin": ["enable": false],
            ],
        ]
    }

    /// The Deployment that shows a pod on the edge node, a small web server.
    var demoDeployment: JSONValue {
        let labels: JSONValue = ["app": "hello"]
        return [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "hello", "namespace": "default", "labels": labels],
            "spec": [
                "replicas": 1, "selector": ["matchLabels": labels],
                "template": [
                    "metadata": ["labels": labels],
                    "spec": [
                        "nodeSelector": ["node-role.kubernetes.io/edge": ""], "terminationGracePeriodSeconds": 1,
                        "containers": [
                            [
                                "name": "web", "image": .string(BusyboxImage.reference), "imagePullPolicy": "IfNotPresent",
                                "command": ["httpd", "-f", "-p", "8080", "-h", "/www"], "ports": [["containerPort": 8080]],
                            ]
                        ],
                    ],
                ],
            ],
        ]
    }
}
