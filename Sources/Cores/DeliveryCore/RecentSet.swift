import DequeModule

/// The last so many distinct elements that were inserted; the oldest is forgotten for a new one.
package struct RecentSet<Element: Hashable & Sendable>: Sendable {
    package let capacity: Int
    private var members: Set<Element> = []
    private var order: Deque<Element> = []

    package init(capacity: Int) { self.capacity = capacity }

    package func contains(_ element: Element) -> Bool { members.contains(element) }

    package mutating func insert(_ element: Element) {
        guard members.insert(element).inserted else { return }
        order.append(element)
        if order.count > capacity, let oldest = order.popFirst() { members.remove(oldest) }
    }
}
