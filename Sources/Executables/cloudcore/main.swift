import CloudCoreApp
import Glibc

var environment: [String: String] = [:]
for name in ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HOME", "KUBECONFIG"] {
    if let value = getenv(name) { environment[name] = String(cString: value) }
}
exit(await CloudCoreProgram.run(arguments: Array(CommandLine.arguments.dropFirst()), environment: environment))
