/// The messages that clients send in protobuf although the server announces JSON: those of kubectl's typed clients from 1.32 on.
///
/// Field numbers as in the `generated.proto` files of Kubernetes 1.28.
enum ProtobufSchemas {
    enum Field: Sendable {
        case text, integer, flag, bytes, time
        case message(String)
        /// A map from text to a message or text.
        case map
    }

    struct Entry: Sendable {
        var name: String
        var field: Field
        var isRepeated: Bool
    }

    static let messages: [String: [Int: Entry]] = parse(table)

    /// A line a message: its name, then `number name type`; `[]` behind the type marks a list.
    private static let table = """
        ObjectMeta: 1 name s, 2 generateName s, 3 namespace s, 5 uid s, 6 resourceVersion s, 7 generation i, 8 creationTimestamp t, \
        9 deletionTimestamp t, 10 deletionGracePeriodSeconds i, 11 labels m, 12 annotations m, 13 ownerReferences OwnerReference[], 14 finalizers s[]
        OwnerReference: 1 kind s, 3 name s, 4 uid s, 5 apiVersion s, 6 controller f, 7 blockOwnerDeletion f
        PolicyRule: 1 verbs s[], 2 apiGroups s[], 3 resources s[], 4 resourceNames s[], 5 nonResourceURLs s[]
        Role: 1 metadata ObjectMeta, 2 rules PolicyRule[]
        ClusterRole: 1 metadata ObjectMeta, 2 rules PolicyRule[]
        Subject: 1 kind s, 2 apiGroup s, 3 name s, 4 namespace s
        RoleRef: 1 apiGroup s, 2 kind s, 3 name s
        RoleBinding: 1 metadata ObjectMeta, 2 subjects Subject[], 3 roleRef RoleRef
        ClusterRoleBinding: 1 metadata ObjectMeta, 2 subjects Subject[], 3 roleRef RoleRef
        DeleteOptions: 1 gracePeriodSeconds i, 2 preconditions Preconditions, 3 orphanDependents f, 4 propagationPolicy s, 5 dryRun s[]
        Preconditions: 1 uid s, 2 resourceVersion s
        Eviction: 1 metadata ObjectMeta, 2 deleteOptions DeleteOptions
        ObjectReference: 1 kind s, 2 namespace s, 3 name s, 4 uid s, 5 apiVersion s, 6 resourceVersion s, 7 fieldPath s
        Binding: 1 metadata ObjectMeta, 2 target ObjectReference
        CertificateSigningRequest: 1 metadata ObjectMeta, 2 spec CertificateSigningRequestSpec, 3 status CertificateSigningRequestStatus
        CertificateSigningRequestSpec: 1 request b, 2 username s, 3 uid s, 4 groups s[], 5 usages s[], 7 signerName s, 8 expirationSeconds i
        CertificateSigningRequestStatus: 1 conditions CertificateSigningRequestCondition[], 2 certificate b
        CertificateSigningRequestCondition: 1 type s, 2 reason s, 3 message s, 4 lastUpdateTime t, 5 lastTransitionTime t, 6 status s
        ResourceAttributes: 1 namespace s, 2 verb s, 3 group s, 4 version s, 5 resource s, 6 subresource s, 7 name s
        NonResourceAttributes: 1 path s, 2 verb s
        SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SelfSubjectAccessReviewSpec
        SelfSubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes
        SubjectAccessReview: 1 metadata ObjectMeta, 2 spec SubjectAccessReviewSpec
        LocalSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SubjectAccessReviewSpec
        SubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes, 3 user s, \
        4 groups s[], 6 uid s
        SelfSubjectRulesReview: 1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec
        SelfSubjectRulesReviewSpec: 1 namespace s
        SelfSubjectReview: 1 metadata ObjectMeta
        TokenReview: 1 metadata ObjectMeta, 2 spec TokenReviewSpec
        TokenReviewSpec: 1 token s, 2 audiences s[]
        TokenRequest: 1 metadata ObjectMeta, 2 spec TokenRequestSpec
        TokenRequestSpec: 1 audiences s[], 3 boundObjectRef BoundObjectReference, 4 expirationSeconds i
        BoundObjectReference: 1 kind s, 2 apiVersion s, 3 name s, 4 uid s
        """

    private static func parse(_ table: String) -> [String: [Int: Entry]] {
        var messages: [String: [Int: Entry]] = [:]
        for line in table.split(separator: "\n") {
            let halves = line.split(separator: ":", maxSplits: 1)
            guard halves.count == 2 else { preconditionFailure("a line without fields: \(line)") }
            var fields: [Int: Entry] = [:]
            for part in halves[1].split(separator: ",") {
                let words = part.split(separator: " ")
                guard words.count == 3, let number = Int(words[0]) else { preconditionFailure("a field of another form: \(part)") }
                let isRepeated = words[2].hasSuffix("[]")
                fields[number] = Entry(
                    name: String(words[1]), field: field(isRepeated ? words[2].dropLast(2) : words[2]), isRepeated: isRepeated)
            }
            messages[String(halves[0])] = fields
        }
        return messages
    }

    private static func field(_ word: Substring) -> Field {
        switch word {
        case "s": .text
        case "i": .integer
        case "f": .flag
        case "b": .bytes
        case "t": .time
        case "m": .map
        default: .message(String(word))
        }
    }
}
