internal import Core

/// Makes values of events.
struct YAMLBuilder {
    private enum Level {
        case array([SourceValue], SourcePlace, anchor: String?)
        case object(ObjectParts, SourcePlace, anchor: String?)
    }
    /// The fields so far, those that merge keys bring, and the key whose value is next.
    private struct ObjectParts {
        var fields: [SourceField] = []
        var keys: Set<String> = []
        var merged: [SourceField] = []
        var open: (key: String, place: SourcePlace, isMerge: Bool)?
    }

    private(set) var documents: [SourceValue] = []
    private var levels: [Level] = []
    private var anchors: [String: (value: SourceValue, count: Int, depth: Int)] = [:]
    private var root: SourceValue?
    private var count = 0

    mutating func take(_ event: YAMLEvent) throws(SourceProblem) {
        switch event.kind {
        case .documentEnd:
            documents.append(root ?? SourceValue(.null, at: event.place))
            root = nil
            anchors = [:]
        case .alias(let name):
            guard let anchor = anchors[name] else {
                throw SourceProblem(
                    event.place, "there is no anchor \(name) before this alias, or it stands inside it.")
            }
            try add(anchor.count, deep: anchor.depth, at: event.place)
            // What is wrong with it is wrong where it is written, once.
            try finish(anchor.value, nil)
        case .scalar(let text, let isPlain):
            try add(1, deep: 0, at: event.place)
            try scalar(text, isPlain, event)
        case .arrayStart:
            try add(1, deep: 1, at: event.place)
            levels.append(.array([], event.place, anchor: event.anchor))
        case .objectStart:
            try add(1, deep: 1, at: event.place)
            levels.append(.object(ObjectParts(), event.place, anchor: event.anchor))
        case .arrayEnd:
            guard case .array(let elements, let place, let anchor) = levels.popLast() else { return }
            try finish(SourceValue(.array(elements), at: place), anchor)
        case .objectEnd:
            guard case .object(let parts, let place, let anchor) = levels.popLast() else { return }
            let merged = parts.merged.filter { !parts.keys.contains($0.key) }
            try finish(SourceValue(.object(parts.fields + merged), at: place), anchor)
        }
    }

    private mutating func add(_ more: Int, deep depth: Int, at place: SourcePlace) throws(SourceProblem) {
        count += more
        guard count <= SourceLimits.values else {
            throw SourceProblem(place, "the file has more than \(SourceLimits.values) values, aliases counted.")
        }
        guard levels.count + depth <= SourceLimits.depth else {
            throw SourceProblem(place, "values are nested deeper than \(SourceLimits.depth) levels.")
        }
    }

    private mutating func scalar(_ text: String, _ isPlain: Bool, _ event: YAMLEvent) throws(SourceProblem) {
        var content = isPlain ? YAMLScalar.plain(text) : .string(text)
        if let tag = event.tag {
            guard let tagged = YAMLScalar.tagged(text, tag) else {
                throw SourceProblem(event.place, "\(text.prefix(40)) cannot have the tag \(tag).")
            }
            content = tagged
        }
        if isKeyNext {
            // JSON's keys are texts; `on:` and `1:` are meant as such.
            let isMerge = isPlain && text == "<<" && event.tag == nil
            return try open(text, isMerge, SourceValue(.string(text), at: event.place), event.anchor)
        }
        try finish(SourceValue(content, at: event.place), event.anchor)
    }

    private var isKeyNext: Bool {
        if case .object(let parts, _, _) = levels.last { parts.open == nil } else { false }
    }

    private mutating func open(
        _ key: String, _ isMerge: Bool, _ value: SourceValue, _ anchor: String?
    ) throws(SourceProblem) {
        guard case .object(var parts, let place, let ownAnchor) = levels.popLast() else { return }
        if let anchor { anchors[anchor] = (value, 1, 0) }
        guard isMerge || parts.keys.insert(key).inserted else {
            throw SourceProblem(value.place, "the key \(key) appears twice.")
        }
        parts.open = (key, value.place, isMerge)
        levels.append(.object(parts, place, anchor: ownAnchor))
    }

    /// Puts a finished value where it belongs.
    private mutating func finish(_ value: SourceValue, _ anchor: String?) throws(SourceProblem) {
        if let anchor {
            let size = value.size
            anchors[anchor] = (value, size.count, size.depth)
        }
        switch levels.popLast() {
        case nil: root = value
        case .array(var elements, let place, let ownAnchor):
            elements.append(value)
            levels.append(.array(elements, place, anchor: ownAnchor))
        case .object(var parts, let place, let ownAnchor):
            guard let open = parts.open else {
                throw SourceProblem(value.place, "a key has to be a text, and is \(value.kindName).")
            }
            parts.open = nil
            if open.isMerge {
                try merge(value, into: &parts, at: open.place)
            } else {
                parts.fields.append(SourceField(key: open.key, place: open.place, value: value))
            }
            levels.append(.object(parts, place, anchor: ownAnchor))
        }
    }

    /// Takes the fields of an object, or of each object of a list; what comes first counts.
    private mutating func merge(
        _ value: SourceValue, into parts: inout ObjectParts, at place: SourcePlace
    ) throws(SourceProblem) {
        let objects: [SourceValue]
        if case .array(let elements) = value.content { objects = elements } else { objects = [value] }
        for object in objects {
            guard case .object(let fields) = object.content else {
                throw SourceProblem(place, "<< takes an object or a list of objects.")
            }
            try add(fields.count, deep: 0, at: place)
            let known = Set(parts.merged.map(\.key))
            parts.merged += fields.filter { !known.contains($0.key) }
        }
    }
}

extension SourceValue {
    /// How many values it holds with itself, and how deep.
    fileprivate var size: (count: Int, depth: Int) {
        let parts: [SourceValue]
        switch content {
        case .array(let elements): parts = elements
        case .object(let fields): parts = fields.map(\.value)
        case .null, .bool, .number, .string: return (1, 0)
        }
        var (count, depth) = (1, 0)
        for part in parts {
            let size = part.size
            count += size.count
            depth = max(depth, size.depth)
        }
        return (count, depth + 1)
    }
}
