import Primitives

extension CRIRuntime {
    /// containerd tells its configuration in a status that is asked to be verbose.
    package func sandboxImage() async throws -> String? {
        var request = Runtime_V1_StatusRequest()
        request.verbose = true
        let answer: Runtime_V1_StatusResponse = try await call(.runtime("Status"), request)
        guard let text = answer.info["config"], let configuration = try? JSONValue(parsing: text) else { return nil }
        return configuration["sandboxImage"].string.flatMap { $0.isEmpty ? nil : $0 }
    }
}
