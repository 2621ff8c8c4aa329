import DeliveryCore
import EdgeMessages
import Synchronization

/// Ties the knot between the hub, which needs a downlink to be made, and the memory, which needs the hub.
final class DownlinkRelay: CloudDownlink {
    private let target = Mutex<(any CloudDownlink)?>(nil)

    func set(_ downlink: any CloudDownlink) { target.withLock { $0 = downlink } }

    func apply(_ message: EdgeMessage) async throws {
        guard let downlink = target.withLock({ $0 }) else { preconditionFailure("a message came before the modules were put together") }
        try await downlink.apply(message)
    }
}
