/// Headers of the request that opens a tunnel.
package enum TunnelHeaders {
    /// An edge that reads credit frames says so; a Go cloud does not look at it.
    package static let credit = "Tunnel-Flow"
    package static let creditValue = "credit"
    package static let path = "/v1/kubeedge/connect"

    /// What a node tells of itself.
    package static func node(_ name: String, address: String) -> [(String, String)] {
        [("SessionHostNameOverride", name), ("SessionInternalIP", address), (credit, creditValue)]
    }
}
