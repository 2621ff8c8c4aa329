import HTTPServing
import Testing

@testable import KubeletServer

/// `/logs/`: what lies below `/var/log`, and nothing else.
struct SystemLogTests {
    @Test func `files, lists and inner links are served, ways out are not`() async throws {
        try await ServingBed.serving { bed, port in
            let folder = bed.folder
            try folder.write("secret", "no")
            try folder.makeFolder("var")
            try folder.makeFolder("var/pods")
            try folder.write("var/pods/0.log", String(repeating: "0123456789", count: 20_000))
            try folder.write("var/sys<log", "hello")
            try folder.link("var/inner", to: "pods/0.log")
            try folder.link("var/outer", to: "../secret")
            try folder.link("var/absolute", to: "/etc/hostname")
            try folder.link("var/up", to: "..")
            try folder.makeFolder("varother")
            try folder.write("varother/x", "no")
            let list = try await HTTPAnswer.get(port, "/logs/")
            #expect(list.status == 200)
            #expect(list.body.contains("<a href=\"pods/\">pods/</a>\n") && list.body.contains(">sys&lt;log</a>"))
            #expect(try await HTTPAnswer.get(port, "/logs/pods").status == 301)
            #expect(try await HTTPAnswer.get(port, "/logs/pods/0.log").body.utf8.count == 200_000)
            #expect(try await HTTPAnswer.get(port, "/logs/inner").body.hasPrefix("0123"))
            #expect(try await HTTPAnswer.get(port, "/logs/sys%3Clog").body == "hello")
            let ways = [
                "/logs/../secret", "/logs/%2e%2e/secret", "/logs/pods/..%2f..%2fsecret", "/logs/outer", "/logs/absolute", "/logs/up/secret",
                "/logs/up/",
                "/logs/../varother/x", "/logs/nothing", "/logs/%00",
            ]
            for way in ways { #expect(try await HTTPAnswer.get(port, way).status == 404, "\(way)") }
        }
    }
}
