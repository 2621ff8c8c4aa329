import Primitives

/// The file that tells kubectl and every other client where the API is and who they are.
enum Kubeconfig {
    static func make(server: String, authority: String, certificate: String, key: Redacted<String>, user: String) -> JSONValue {
        let name = "\(user)@kubeedge"
        return [
            "apiVersion": "v1", "kind": "Config",
            "clusters": [
                ["name": "kubeedge", "cluster": ["server": .string(server), "certificate-authority-data": .string(Base64.encode(authority.utf8))]]
            ],
            "users": [
                [
                    "name": .string(user),
                    "user": [
                        "client-certificate-data": .string(Base64.encode(certificate.utf8)),
                        "client-key-data": .string(Base64.encode(key.exposed.utf8)),
                    ],
                ]
            ],
            "contexts": [["name": .string(name), "context": ["cluster": "kubeedge", "user": .string(user)]]],
            "current-context": .string(name),
        ]
    }
}
