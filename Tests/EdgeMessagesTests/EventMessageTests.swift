import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@Suite("Events on the wire")
struct EventMessageTests {
    private let event = KubeObject([
        "metadata": ["name": "web.18a0", "namespace": "shop", "creationTimestamp": nil], "involvedObject": ["kind": "Pod", "name": "web"], "count": 2,
    ])

    @Test("a new event and a repeated one have the form of v1.19")
    func form() throws {
        var message = EdgeMessage.createEvent(event)
        #expect(message.route.source == "edged" && message.route.group == "meta")
        #expect(message.route.operation == "insert" && message.route.resource == "shop/event/web.18a0")
        #expect(message.content == event.json)
        #expect(!message.json["header"].members.keys.contains("sync"))
        message.wantsAnswer = true
        #expect(message.json["header"]["sync"] == true)
        #expect(try EdgeMessage(wire: message.wire) == message)
        message.wantsAnswer = false
        #expect(!message.json["header"].members.keys.contains("sync"))

        let repeated = EdgeMessage.patchEvent(event, ["count": 2, "message": "m"])
        #expect(repeated.route.operation == "patch" && repeated.route.resource == "shop/event/web.18a0")
        #expect(repeated.content == ["event": event.json, "patchData": #"{"count":2,"message":"m"}"#])
    }
}
