import ContainerRuntime
import HTTPServing
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import KubeletServer

/// What each address answers, without sockets.
struct SurfaceTests {
    @Test func `requests that cannot be served get the kubelet's words`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        try await bed.addPod()
        let table: [(String, String, Int, String)] = [
            ("GET", "/nothing", 404, "404 page not found\n"),
            ("GET", "/containerLogs/default/web", 404, "404 page not found"),
            ("GET", "/containerLogs/default/gone/main", 404, "pod \"gone\" does not exist"),
            ("GET", "/containerLogs/other/web/main", 404, "pod \"web\" does not exist"),
            ("GET", "/containerLogs/default/web/side", 404, "container \"side\" not found in pod \"web\""),
            ("GET", "/containerLogs/default/web/main?previous=true", 400, "previous terminated container \"main\" in pod \"web\" not found"),
            ("GET", "/containerLogs/default/web/main?tailLines=x", 400, "{\"message\": \"Unable to decode query.\"}"),
            ("POST", "/containerLogs/default/web/main", 405, "405: Method Not Allowed"),
            ("POST", "/exec/default/web/main?command=ls", 400, "you must specify at least 1 of stdin, stdout, stderr"),
            ("POST", "/exec/default/web/main?command=ls&error=1&tty=1", 400, "you must specify at least 1 of stdin, stdout, stderr"),
            ("POST", "/exec/default/gone/main?output=1", 404, "pod does not exist"),
            ("POST", "/exec/default/web/side?output=1", 500, "container not found (\"side\")"),
            ("POST", "/exec/default/web/u2/main?output=1", 500, "container not found (\"main\")"),
            ("POST", "/exec/default/web/main?output=1", 500, "Upgrade request required"),
            ("GET", "/attach/default/web/u1/main?output=1", 500, "Upgrade request required"),
            ("GET", "/attach/default/web/u1/main/more?output=1", 404, "404 page not found"),
            ("POST", "/portForward/default/gone", 404, "pod does not exist"),
            ("POST", "/portForward/default/web/u2", 404, "pod not found"),
            ("POST", "/portForward/default/web", 500, "Upgrade request required"),
            ("GET", "/run/default/web/main?cmd=ls", 405, "405: Method Not Allowed"),
            ("POST", "/run/default/gone/main?cmd=ls", 404, "pod does not exist"),
            ("GET", "/stats/summary", 503, "this node does not measure what its pods use: figures are not to be had"),
            ("GET", "/stats/other", 404, "404 page not found\n"),
            ("GET", "/pods%2", 400, "the path has a broken percent escape"),
            ("GET", "/healthz", 200, "ok"), ("GET", "/healthz/ping", 200, "ok"), ("GET", "/healthz/syncloop", 200, "ok"),
            ("GET", "/healthz?verbose", 200, "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n"),
            ("GET", "/configz", 200, "{\"kubeletconfig\":{\"maxPods\":110}}"),
        ]
        for (method, target, status, body) in table {
            let answer = await bed.get(target, method: method)
            #expect(answer.status == status && answer.body == body, "\(method) \(target): \(answer)")
        }
    }

    @Test func `a port-forward over WebSocket names its ports`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        try await bed.addPod()
        let table = [
            ("", 400, "query parameter \"port\" is required"), ("port=", 400, "query parameter \"port\" cannot be empty"),
            ("port=80,,81", 400, "query parameter \"port\" cannot be empty"), ("port=0", 400, "port \"0\" must be > 0"),
            ("port=http", 400, "unable to parse \"http\" as a port: it is no number up to 65535"),
        ]
        for (query, status, body) in table {
            var request = HTTPRequest(method: "GET", target: "/portForward/default/web?\(query)")
            request.headers = ["Connection": "Upgrade", "Upgrade": "websocket"]
            let response = await bed.service().answer(request)
            #expect(response.status == status && ServingBed.text(response) == body, "\(query)")
        }
    }

    @Test func `the sync loop is ill after twice its interval, and five minutes at least`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        bed.view.setAge(.seconds(299))
        #expect(await bed.get("/healthz").status == 200)
        bed.view.setAge(.seconds(301))
        #expect(await bed.get("/healthz/syncloop").body == "internal server error: sync Loop took longer than expected\n")
        let all = await bed.get("/healthz")
        #expect(all.status == 500)
        #expect(all.body == "[+]ping ok\n[+]log ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n")
        #expect(await bed.get("/healthz/ping").status == 200)
        let slow = await bed.service { $0.syncInterval = .seconds(200) }.answer(HTTPRequest(method: "GET", target: "/healthz"))
        #expect(slow.status == 200)
        bed.view.setAge(nil)
        #expect(await bed.get("/healthz").status == 200)
    }

    @Test func `pods are those that are wanted, running pods those of the runtime`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        try await bed.addPod()
        let wanted = try JSONValue(parsing: await bed.get("/pods").body)
        #expect(wanted["kind"] == "PodList" && wanted["apiVersion"] == "v1")
        #expect(wanted["items"][0]["status"]["phase"] == "Running")
        #expect(wanted["items"][0]["kind"].isNull)
        bed.view.set([])
        #expect(try JSONValue(parsing: await bed.get("/pods").body)["items"].elements.isEmpty)
        let running = try JSONValue(parsing: await bed.get("/runningpods/").body)
        #expect(running["items"][0]["metadata"]["uid"] == "u1")
        #expect(running["items"][0]["spec"]["containers"] == [["name": "main", "image": "sha256:1", "resources": [:]]])
        await bed.runtime.end("main", code: 0)
        #expect(try JSONValue(parsing: await bed.get("/runningpods/").body)["items"][0]["spec"]["containers"] == [])
    }

    @Test func `a command's output is the answer, its failure an error`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        try await bed.addPod()
        await bed.runtime.writeOnExecution("out", errors: "err")
        #expect(await bed.get("/run/default/web/main?cmd=ls+-l%20/tmp", method: "POST") == (200, "outerr"))
        #expect(await bed.runtime.calls(of: "execute") == ["ls -l /tmp"])
        await bed.runtime.exitAtOnce("exec false", code: 3)
        #expect(await bed.get("/run/default/web/u1/main?cmd=false", method: "POST") == (500, "command 'false' exited with 3: err"))
    }

    @Test func `what the switches of the configuration turn off is off`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        let closed = bed.service {
            $0.servesContainers = false
            $0.servesSystemLogs = false
        }
        for path in ["/exec/default/web/main", "/containerLogs/default/web/main", "/runningpods/", "/logs/"] {
            let response = await closed.answer(HTTPRequest(method: "GET", target: path))
            #expect(response.status == 405 && ServingBed.text(response) == "Debug endpoints are disabled.\n")
        }
        let half = await bed.service { $0.servesSystemLogs = false }.answer(HTTPRequest(method: "GET", target: "/logs/"))
        #expect(half.status == 405 && ServingBed.text(half) == "logs endpoint is disabled.\n")
    }

    @Test func `errors of the runtime have the codes of the kubelet`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        try await bed.addPod()
        let table: [(RuntimeFailure.Code, Int)] = [(.notFound, 404), (.exhausted, 429), (.failed, 500), (.unavailable, 500), (.timedOut, 500)]
        for (code, status) in table {
            await bed.runtime.fail("executionAddress", RuntimeFailure(code: code, message: "no"))
            var request = HTTPRequest(method: "POST", target: "/exec/default/web/main?output=1&command=ls")
            request.headers = ["Connection": "Upgrade", "Upgrade": "SPDY/3.1"]
            let response = await bed.service().answer(request)
            #expect(response.status == status && ServingBed.text(response) == "no")
            #expect(response.headers["Retry-After"] == (code == .exhausted ? "60" : nil))
        }
    }
}

/// Which container a log is of, and the words where there is none.
struct ContainerLogSourceTests {
    static func ended(_ id: String) -> JSONValue { ["terminated": ["exitCode": 1, "containerID": .string(id)]] }

    static let cases: [(JSONValue, previous: Bool, String)] = [
        (["containerID": "containerd://a", "state": ["running": [:]]], false, "a"),
        (["containerID": "containerd://b", "state": ["running": [:]], "lastState": ended("containerd://a")], true, "a"),
        (["containerID": "containerd://b", "state": ended("containerd://b")], false, "b"),
        (["state": ["terminated": ["exitCode": 1]], "lastState": ended("containerd://a")], false, "a"),
        (["state": ["terminated": ["exitCode": 1]]], false, "container \"c\" in pod \"p\" is terminated"),
        (["state": ["waiting": ["reason": "CrashLoopBackOff"]], "lastState": ended("containerd://a")], false, "a"),
        (["state": ["waiting": ["reason": "x"]], "lastState": ["terminated": ["exitCode": 1]]], false, "container \"c\" in pod \"p\" is terminated"),
        (["state": ["waiting": ["reason": "ContainerCreating"]]], false, "container \"c\" in pod \"p\" is waiting to start: ContainerCreating"),
        (["state": ["waiting": ["reason": "ErrImagePull"]]], false, "container \"c\" in pod \"p\" is waiting to start: image can't be pulled"),
        (
            ["state": ["waiting": ["reason": "ImagePullBackOff"]]], false,
            "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image"
        ),
        (["state": ["waiting": ["reason": "x"]]], true, "previous terminated container \"c\" in pod \"p\" not found"),
        (["state": [:]], false, "container \"c\" in pod \"p\" is waiting to start - no logs yet"),
    ]

    @Test(arguments: ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"])
    func `the status says whose log it is`(list: String) {
        for (status, isPrevious, expected) in Self.cases {
            var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "n", name: "p")
            var status = status
            status["name"] = "c"
            pod.status[list] = [status]
            do {
                #expect(try ContainerLogSource.containerID("c", of: PodView(pod), isPrevious: isPrevious) == expected)
            } catch {
                #expect(error == ServedFailure(400, expected))
            }
        }
        let pod = PodView(KubeObject(apiVersion: "v1", kind: "Pod", namespace: "n", name: "p"))
        #expect(throws: ServedFailure(400, "container \"c\" in pod \"p\" is not available")) {
            try ContainerLogSource.containerID("c", of: pod, isPrevious: false)
        }
    }
}
