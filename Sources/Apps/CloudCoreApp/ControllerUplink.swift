import DeliveryCore
import EdgeController
import EdgeMessages
import SyncController

/// What nodes say goes to EdgeController; that they connect is told to SyncController too.
struct ControllerUplink: NodeUplink {
    let edgeController: EdgeController?
    let syncController: SyncController?

    func handle(_ message: EdgeMessage, from node: String) async -> EdgeMessage? { await edgeController?.handle(message, from: node) }

    func connected(_ node: String) async {
        await edgeController?.connected(node)
        await syncController?.connected(node)
    }

    func alive(_ node: String) async { await edgeController?.alive(node) }

    func disconnected(_ node: String) async { await edgeController?.disconnected(node) }
}
