import KubeMachinery
import Primitives

extension JSONValue {
    /// Sets a member that is absent or null.
    mutating func setDefault(_ key: String, _ value: JSONValue) {
        if self[key].isNull { self[key] = value }
    }

    /// Changes each object in the list `key`.
    mutating func editElements(_ key: String, _ edit: (inout JSONValue) -> Void) {
        guard case .array(var elements) = self[key] else { return }
        for index in elements.indices where elements[index].object != nil { edit(&elements[index]) }
        self[key] = .array(elements)
    }

    /// Changes the object `key` where there is one.
    mutating func editMember(_ key: String, _ edit: (inout JSONValue) -> Void) {
        guard self[key].object != nil else { return }
        edit(&self[key])
    }

    /// Writes every quantity of the map `key` in its canonical form.
    mutating func canonicalizeQuantities(_ key: String) {
        guard case .object(let members) = self[key] else { return }
        self[key] = .object(members.mapValues(\.canonicalQuantity))
    }

    /// A quantity in its canonical form; anything else as it is.
    var canonicalQuantity: JSONValue {
        guard let quantity = quantity else { return self }
        return .string(quantity.canonical)
    }

    /// The value as a quantity, from text or a number.
    var quantity: Quantity? {
        switch self {
        case .string(let text): Quantity(text)
        case .integer, .decimal: Quantity(self.text())
        default: nil
        }
    }
}
