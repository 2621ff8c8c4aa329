import EdgeTesting
import Glibc
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Supervision
import Testing

@testable import CloudStream

@Suite("The redirection of the ports that stand for kubelets")
struct KubeletPortRulesTests {
    private static let first = [
        ["-N", "TUNNEL-PORT"],
        ["-I", "OUTPUT", "1", "-m", "comment", "--comment", "kubeedge tunnel port", "-j", "TUNNEL-PORT"],
        ["-I", "PREROUTING", "1", "-m", "comment", "--comment", "kubeedge tunnel port", "-j", "TUNNEL-PORT"],
        ["-A", "TUNNEL-PORT", "-p", "tcp", "--dport", "10351", "-j", "DNAT", "--to-destination", "10.0.0.5:10003"],
    ]
    /// As `iptables -t nat -S` prints them.
    private static let made = [
        "-P PREROUTING ACCEPT", "-P OUTPUT ACCEPT", "-N TUNNEL-PORT", "-A PREROUTING -m comment --comment \"kubeedge tunnel port\" -j TUNNEL-PORT",
        "-A OUTPUT -m comment --comment \"kubeedge tunnel port\" -j TUNNEL-PORT",
        "-A TUNNEL-PORT -p tcp -m tcp --dport 10351 -j DNAT --to-destination 10.0.0.5:10003",
    ]

    private func commands(_ ports: [String: Int], _ present: [String]) -> [[String]] {
        KubeletPortRules(TunnelPortRecord(ports: ports), streamPort: 10003).commands(present: present)
    }

    @Test("on a fresh machine the chain, its hooks and a rule a port are made")
    func fresh() { #expect(commands(["10.0.0.5": 10351], ["-P PREROUTING ACCEPT", "-P OUTPUT ACCEPT"]) == Self.first) }

    @Test("where all is well nothing is done; rules of others are nobody's business")
    func settled() {
        #expect(commands(["10.0.0.5": 10351], Self.made + ["-A OUTPUT -p tcp --dport 10351 -j DNAT --to-destination 10.9.9.9:1"]).isEmpty)
    }

    @Test("an instance that has gone or moved loses its rule, a new one gets its own")
    func changes() {
        #expect(
            commands(["10.0.0.6": 10351, "10.0.0.7": 10352], Self.made) == [
                ["-D", "TUNNEL-PORT", "-p", "tcp", "-m", "tcp", "--dport", "10351", "-j", "DNAT", "--to-destination", "10.0.0.5:10003"],
                ["-A", "TUNNEL-PORT", "-p", "tcp", "--dport", "10351", "-j", "DNAT", "--to-destination", "10.0.0.6:10003"],
                ["-A", "TUNNEL-PORT", "-p", "tcp", "--dport", "10352", "-j", "DNAT", "--to-destination", "10.0.0.7:10003"],
            ])
    }

    @Test("a rule that stands twice is left once; addresses of IPv6 have none")
    func oddities() {
        let twice = Self.made + [Self.made[5]]
        #expect(commands(["10.0.0.5": 10351, "fd00::5": 10352], twice).map { $0[0] } == ["-D"])
    }

    static let canMakeNetworks = getuid() == 0 && HelperProgram.find("ip") != nil && HelperProgram.find("iptables") != nil

    @Test(
        "in a network of its own the machine's iptables holds what the record says, and follows it",
        .enabled(if: canMakeNetworks, "needs root, ip and iptables"), .timeLimit(.minutes(1)))
    func realTables() async throws {
        let namespace = "ke-ports-\(getpid())"
        let ip = try #require(HelperProgram.find("ip"))
        _ = try await HelperProgram(ip, ["netns", "add", namespace]).run(limit: .seconds(10))
        do {
            let api = FakeKubeAPI()
            var configuration = KubeletPortRedirector.Configuration()
            configuration.program = [ip, "netns", "exec", namespace, try #require(HelperProgram.find("iptables"))]
            let redirector = KubeletPortRedirector(
                api: api, configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            #expect(try await redirector.reconcile() == 0)
            #expect(try await TunnelPortRecord.claim("10.0.0.5", above: 10350, api: api) == 10351)
            #expect(try await redirector.reconcile() == 4)
            #expect(try await redirector.reconcile() == 0)
            #expect(try await TunnelPortRecord.claim("10.0.0.6", above: 10350, api: api) == 10352)
            #expect(try await redirector.reconcile() == 1)
            let tables = try await HelperProgram(ip, Array(configuration.program!.dropFirst()) + ["-t", "nat", "-S", "TUNNEL-PORT"])
                .run(limit: .seconds(10))
            #expect(tables.lines.count { $0.contains("--to-destination 10.0.0.") } == 2)
        } catch {
            _ = try? await HelperProgram(ip, ["netns", "delete", namespace]).run(limit: .seconds(10))
            throw error
        }
        _ = try await HelperProgram(ip, ["netns", "delete", namespace]).run(limit: .seconds(10))
    }
}
