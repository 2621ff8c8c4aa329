package import Primitives

/// A label selector: all of its requirements have to hold.
package struct LabelSelector: Sendable, Hashable {
    package enum Operator: String, Sendable {
        case `in` = "In"
        case notIn = "NotIn"
        case exists = "Exists"
        case doesNotExist = "DoesNotExist"
        case greaterThan = "Gt"
        case lessThan = "Lt"
    }

    package struct Requirement: Sendable, Hashable {
        package var key: String
        package var `operator`: Operator
        package var values: [String]

        package init(_ key: String, _ operator: Operator, _ values: [String] = []) {
            self.key = key
            self.operator = `operator`
            self.values = values
        }
    }

    package var requirements: [Requirement]
    /// What an absent `LabelSelector` means: no object at all.
    package var selectsNothing = false

    /// The selector of a conjunction of requirements; without any it selects every object.
    package init(_ requirements: [Requirement] = []) { self.requirements = requirements }

    package static let everything = LabelSelector()
    package static let nothing: LabelSelector = {
        var selector = LabelSelector()
        selector.selectsNothing = true
        return selector
    }()

    package var isEverything: Bool { requirements.isEmpty && !selectsNothing }

    /// Whether an object with these labels is selected.
    package func matches(_ labels: [String: String]) -> Bool {
        !selectsNothing && requirements.allSatisfy { $0.matches(labels[$0.key]) }
    }

    /// Whether an object is selected by its labels.
    package func matches(_ object: KubeObject) -> Bool { isEverything || matches(object.labels) }
}

extension LabelSelector.Requirement {
    fileprivate func matches(_ value: String?) -> Bool {
        switch self.operator {
        case .in: return value.map(values.contains) ?? false
        case .notIn: return value.map { !values.contains($0) } ?? true
        case .exists: return value != nil
        case .doesNotExist: return value == nil
        case .greaterThan, .lessThan:
            guard let number = value.flatMap({ Int64($0) }), let limit = values.first.flatMap({ Int64($0) }) else { return false }
            return self.operator == .greaterThan ? number > limit : number < limit
        }
    }
}

extension LabelSelector {
    /// Reads a `LabelSelector` object (`matchLabels`, `matchExpressions`); null selects nothing, `{}` everything.
    ///
    /// Throws `BadRequest` for an unknown operator.
    package init(json: JSONValue) throws(KubeStatus) {
        guard let members = json.object else {
            self = .nothing
            return
        }
        var requirements: [Requirement] = []
        for (key, value) in (members["matchLabels"]?.stringMap ?? [:]).sorted(by: { $0.key < $1.key }) {
            requirements.append(Requirement(key, .in, [value]))
        }
        for expression in members["matchExpressions"]?.elements ?? [] {
            guard let name = expression["operator"].string, let known = Operator(rawValue: name) else {
                throw .badRequest("\"\(expression["operator"].string ?? "")\" is not a valid label selector operator")
            }
            requirements.append(Requirement(expression["key"].string ?? "", known, expression["values"].strings))
        }
        self.init(requirements)
    }
}

extension LabelSelector: CustomStringConvertible {
    /// The text form that `init(parsing:)` reads.
    package var description: String {
        requirements.map { requirement in
            let list = requirement.values.joined(separator: ",")
            return switch requirement.operator {
            case .in where requirement.values.count == 1: "\(requirement.key)=\(list)"
            case .notIn where requirement.values.count == 1: "\(requirement.key)!=\(list)"
            case .in: "\(requirement.key) in (\(list))"
            case .notIn: "\(requirement.key) notin (\(list))"
            case .exists: requirement.key
            case .doesNotExist: "!\(requirement.key)"
            case .greaterThan: "\(requirement.key)>\(list)"
            case .lessThan: "\(requirement.key)<\(list)"
            }
        }.joined(separator: ",")
    }
}
