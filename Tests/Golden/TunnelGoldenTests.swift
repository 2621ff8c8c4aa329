import EdgeMessages
import Foundation
import Primitives
import Testing

@Suite("Captured tunnel frames of Go peers")
struct TunnelGoldenTests {
    @Test("every captured frame encodes and decodes, and every connector has the same JSON")
    func frames() throws {
        var count = 0
        for folder in CaptureFolder.all {
            for file in try folder.files() {
                let text = try String(contentsOfFile: folder.path + "/" + file, encoding: .utf8)
                for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() where !line.isEmpty {
                    let entry = try JSONValue(parsing: String(line))
                    guard entry["kind"].string == "stream" else { continue }
                    count += 1
                    try check(entry["raw"], "\(file):\(index + 1)")
                }
            }
        }
        // The captures that are kept with the tests alone hold this many.
        #expect(count >= 7)
    }

    private func check(_ raw: JSONValue, _ place: String) throws {
        let stream = try #require(raw["connectID"].int.flatMap { UInt64(exactly: $0) }, "\(place)")
        let kind = try #require(raw["messageType"].int.flatMap { TunnelFrame.Kind(rawValue: UInt64($0)) }, "\(place)")
        var data: [UInt8] = []
        switch raw["data_kind"].string {
        case "json" where kind == .data: data = raw["data"].encoded(.goEscapes)
        case "json":
            let connector = try TunnelConnector(decoding: raw["data"].encoded(.goEscapes))
            #expect(connector.json == raw["data"], "\(place)")
            #expect(connector.stream == stream, "\(place)")
            data = connector.json.encoded(.goEscapes)
        case "string": data = Array((raw["data"].string ?? "").utf8)
        default: break
        }
        let frame = TunnelFrame(stream: stream, kind: kind, data: data)
        #expect(try TunnelFrame(decoding: frame.encoded) == frame, "\(place)")
    }
}
