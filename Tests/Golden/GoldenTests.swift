import DeliveryCore
import EdgeMessages
import Primitives
import Testing

@Suite("Captured messages of Go peers")
struct GoldenTests {
    @Test("every captured message decodes to a typed value and encodes back to the same JSON")
    func roundTrip() throws {
        var count = 0
        for folder in CaptureFolder.all {
            for file in try folder.files() {
                for captured in try folder.messages(file) {
                    count += 1
                    try check(captured)
                }
            }
        }
        // The captures that are kept with the tests alone hold this many.
        #expect(count >= 657)
    }

    private func check(_ captured: CapturedMessage) throws {
        let message = try EdgeMessage(wire: captured.raw.encoded(.goEscapes))
        let back: EdgeMessage
        if captured.isDownstream {
            let typed = TypedMessage<CloudToEdgeMessage>(message)
            if case .other = typed.body { Issue.record("\(captured.testDescription) has no kind: \(message.route)") }
            back = typed.message
        } else {
            let typed = TypedMessage<EdgeToCloudMessage>(message)
            if case .other = typed.body { Issue.record("\(captured.testDescription) has no kind: \(message.route)") }
            back = typed.message
        }
        #expect(back == message, "\(captured.testDescription)")
        let wire = try JSONValue(parsing: back.wire)
        #expect(wire == captured.raw, "\(captured.testDescription)")
    }

    @Test("unknown members of header, route and message survive the typed value")
    func unknownMembers() throws {
        let text =
            #"{"header":{"msg_id":"a","timestamp":1,"sync":true,"x":[1]},"#
            + #""route":{"source":"edged","group":"meta","operation":"query","resource":"default/node/n","destination":"d"},"#
            + #""content":null,"trace":{"id":7}}"#
        let message = try EdgeMessage(wire: text.utf8)
        let typed = TypedMessage<EdgeToCloudMessage>(message)
        #expect(typed.body == .query(EdgeObjectPath(namespace: "default", type: "node", name: "n")))
        #expect(try JSONValue(parsing: typed.message.wire) == JSONValue(parsing: text))
    }

    @Test("what the captures show is acknowledged is what we would acknowledge")
    func acknowledgements() throws {
        var checked = 0
        for file in try CaptureFolder.own.files() {
            let messages = try CaptureFolder.own.messages(file).map { ($0.isDownstream, try EdgeMessage(wire: $0.raw.encoded())) }
            let requests = Dictionary(messages.filter { !$0.0 }.map { ($0.1.header.id, $0.1) }, uniquingKeysWith: { one, _ in one })
            let acknowledged = Set(messages.filter { !$0.0 && $0.1.route.operation == "response" }.compactMap(\.1.header.parentID))
            // A capture may end between an answer and its acknowledgement.
            for (_, answer) in messages.dropLast(20) where answer.route.operation == "response" {
                guard let request = answer.header.parentID.flatMap({ requests[$0] }), answer.route.source == "edgecontroller" else { continue }
                checked += 1
                #expect(
                    acknowledged.contains(answer.header.id) == request.wantsAcknowledgedAnswer, "\(file): \(answer.route.resource)")
            }
        }
        #expect(checked > 80)
    }
}
