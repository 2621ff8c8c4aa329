/// Modules that messages name as their source (`spec/01 §5.2`).
package enum EdgeSource {
    package static let edgeController = "edgecontroller"
    package static let deviceController = "devicecontroller"
    package static let dynamicController = "dynamiccontroller"
    package static let policyController = "policycontroller"
    package static let syncController = "synccontroller"
    package static let taskManager = "taskmanager"
    /// Tasks for edges older than v1.16.0.
    package static let nodeUpgradeJobController = "nodeupgradejobcontroller"
    package static let cloudHub = "cloudhub"
    package static let cloudStream = "cloudStream"
    package static let eventBusRouter = "router_eventbus"
    package static let serviceBusRouter = "router_servicebus"
    package static let edged = "edged"
    package static let metaManager = "metamanager"
    package static let metaServer = "metaserver"
    package static let twin = "twin"
    /// EdgeHub itself: keepalives and task reports.
    package static let websocket = "websocket"
    package static let bus = "bus"
    package static let serviceBus = "servicebus"
}

/// Groups that messages are addressed to (`spec/01 §5.2`).
package enum EdgeGroup {
    package static let resource = "resource"
    package static let function = "func"
    package static let meta = "meta"
    package static let twin = "twin"
    package static let user = "user"
    package static let hub = "hub"
    package static let taskManager = "taskmanager"
    package static let dynamicController = "dynamiccontroller"
}

/// Type words of resources; any other word is the lower-case kind of an object (`spec/01 §5.1`).
package enum EdgeType {
    package static let pod = "pod"
    package static let podList = "podlist"
    package static let podStatus = "podstatus"
    package static let podPatch = "podpatch"
    package static let configMap = "configmap"
    package static let secret = "secret"
    package static let serviceAccountToken = "serviceaccounttoken"
    package static let serviceAccountAccess = "serviceaccountaccess"
    package static let node = "node"
    package static let nodeStatus = "nodestatus"
    package static let nodePatch = "nodepatch"
    package static let lease = "lease"
    package static let signingRequest = "certificatesigningrequest"
    package static let persistentVolume = "persistentvolume"
    package static let persistentVolumeClaim = "persistentvolumeclaim"
    package static let volumeAttachment = "volumeattachment"
    package static let volume = "volume"
    package static let device = "device"
    package static let deviceModel = "devicemodel"
    /// All services of a namespace, which only a cloud of this house is asked for.
    package static let serviceList = "servicelist"
    /// Events of the kubelet, from v1.19 on and only where the cloud wants them.
    package static let event = "event"

    /// The type word of a kind.
    package static func word(kind: String) -> String { kind.lowercased() }
}
