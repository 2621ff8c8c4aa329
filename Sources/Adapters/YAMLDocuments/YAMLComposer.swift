import Primitives

/// Makes JSON values of a text's events: anchors, merge keys, repeated keys and the limits are its business.
struct YAMLComposer {
    private struct Node {
        var value: JSONValue
        /// Nodes in it with aliases expanded.
        var count: Int
        /// Levels in it with aliases expanded.
        var height: Int
    }

    private let reader: YAMLEventReader
    private var anchors: [String: Node] = [:]
    private var total = 0

    init(reader: YAMLEventReader) { self.reader = reader }

    mutating func documents() throws(YAMLError) -> [JSONValue] {
        var documents: [JSONValue] = []
        while true {
            let event = try reader.next()
            switch event.kind {
            case .streamEnd: return documents
            case .documentStart:
                anchors = [:]
                let value = try node(try reader.next(), depth: 0).value
                if !value.isNull { documents.append(value) }
            default: continue
            }
        }
    }

    private mutating func node(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
        guard depth <= YAMLLimits.depth else { throw failure(.tooDeep, event, "more than \(YAMLLimits.depth) levels") }
        let node: Node
        switch event.kind {
        case .alias(let name):
            guard let known = anchors[name] else { throw failure(.unknownAlias, event, "unknown anchor '\(name)'") }
            guard depth + known.height <= YAMLLimits.depth else { throw failure(.tooDeep, event, "more than \(YAMLLimits.depth) levels") }
            try count(known.count, event)
            return known
        case .scalar(let scalar):
            try count(1, event)
            do { node = Node(value: try YAMLScalarRules.value(of: scalar), count: 1, height: 0) } catch {
                throw failure(.value, event, error.sentence)
            }
        case .sequenceStart: node = try sequence(event, depth: depth)
        case .mappingStart: node = try mapping(event, depth: depth)
        default: throw failure(.syntax, event, "a value is missing")
        }
        if let anchor = event.anchor { anchors[anchor] = node }
        return node
    }

    private mutating func sequence(_ start: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
        try count(1, start)
        var elements: [JSONValue] = []
        var size = 1
        var height = 0
        while true {
            let event = try reader.next()
            if case .sequenceEnd = event.kind { break }
            let element = try node(event, depth: depth + 1)
            elements.append(element.value)
            size += element.count
            height = max(height, element.height)
        }
        return Node(value: .array(elements), count: size, height: height + 1)
    }

    private mutating func mapping(_ start: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
        try count(1, start)
        var members: JSONObject = [:]
        var merged: [JSONObject] = []
        var size = 1
        var height = 0
        while true {
            let event = try reader.next()
            if case .mappingEnd = event.kind { break }
            let key = try key(event)
            let value = try node(try reader.next(), depth: depth + 1)
            size += value.count + 1
            height = max(height, value.height)
            if key.isMerge {
                merged += try mergeSources(value.value, event)
            } else {
                guard members[key.text] == nil else { throw failure(.duplicateKey, event, "key \"\(key.text)\" already set in map") }
                members[key.text] = value.value
            }
        }
        for source in merged { members.merge(source) { own, _ in own } }
        return Node(value: .object(members), count: size, height: height + 1)
    }

    private mutating func key(_ event: YAMLEvent) throws(YAMLError) -> (text: String, isMerge: Bool) {
        switch event.kind {
        case .scalar(let scalar):
            try count(1, event)
            if let anchor = event.anchor { anchors[anchor] = Node(value: .string(scalar.text), count: 1, height: 0) }
            return (scalar.text, scalar.isPlain && scalar.tag == nil && scalar.text == "<<")
        case .alias(let name):
            guard let text = anchors[name]?.value.string else { throw failure(.unknownAlias, event, "'\(name)' is no anchor of a text") }
            return (text, false)
        default: throw failure(.shape, event, "a key is a text, not a list or map")
        }
    }

    private func mergeSources(_ value: JSONValue, _ event: YAMLEvent) throws(YAMLError) -> [JSONObject] {
        var sources: [JSONObject] = []
        for source in value.array ?? [value] {
            guard let members = source.object else { throw failure(.shape, event, "map merge requires map or sequence of maps as the value") }
            sources.append(members)
        }
        return sources
    }

    private mutating func count(_ nodes: Int, _ event: YAMLEvent) throws(YAMLError) {
        total += nodes
        guard total <= YAMLLimits.nodes else {
            throw failure(.tooLarge, event, "document contains excessive aliasing or over \(YAMLLimits.nodes) values")
        }
    }

    private func failure(_ code: YAMLError.Code, _ event: YAMLEvent, _ message: String) -> YAMLError {
        YAMLError(code: code, line: event.mark.line, column: event.mark.column, message: message)
    }
}
