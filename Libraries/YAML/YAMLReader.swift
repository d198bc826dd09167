internal import CYAML
internal import Core

/// Reads YAML 1.2 documents as far as they say what JSON can say. Of YAML's own, there are anchors with aliases, merge
/// keys and several documents in one file; tags other than those of the core schema, keys that are no texts, repeated
/// keys and values inside themselves are refused.
public enum YAMLReader {
    /// The documents of a file; none for one that is empty.
    /// - Throws: where the first thing stands that cannot be read.
    public static func documents(_ bytes: [UInt8]) throws(SourceProblem) -> [SourceValue] {
        try SourceValue.checkSize(bytes)
        var events = try YAMLEvents(bytes)
        var builder = YAMLBuilder()
        while let event = try events.next() { try builder.take(event) }
        return builder.documents
    }
}

/// What libyaml says is next.
struct YAMLEvent {
    enum Kind {
        case documentEnd
        case alias(String)
        /// Without quotes and without a tag, a text may mean something else.
        case scalar(String, isPlain: Bool)
        case arrayStart, arrayEnd, objectStart, objectEnd
    }
    var kind: Kind
    var place: SourcePlace
    var anchor: String?
    var tag: String?
}

/// libyaml's parser over bytes that it does not own.
struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: [UInt8]) throws(SourceProblem) {
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        input = .allocate(capacity: max(1, bytes.count))
        _ = input.initialize(fromContentsOf: bytes)
        guard yaml_parser_initialize(parser) == 1 else {
            throw SourceProblem(SourcePlace(line: 1, column: 1), "there is no memory to read it.")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    /// The next event that matters; nil at the end.
    mutating func next() throws(SourceProblem) -> YAMLEvent? {
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else { throw problem }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_STREAM_END_EVENT { return nil }
            if let read = try YAMLEvents.read(event) { return read }
        }
    }

    private var problem: SourceProblem {
        let state = parser.pointee
        let reason = state.problem.map { String(cString: $0) } ?? "it cannot be read"
        let context = state.context.map { String(cString: $0) + ": " } ?? ""
        // The reader of characters knows the byte only.
        let place =
            state.error == YAML_READER_ERROR
            ? LineIndex(Array(input)).place(of: Int(state.problem_offset)) : SourcePlace(state.problem_mark)
        return SourceProblem(place, "it is no YAML: \(context)\(reason).")
    }

    private static func read(_ event: yaml_event_t) throws(SourceProblem) -> YAMLEvent? {
        let place = SourcePlace(event.start_mark)
        switch event.type {
        case YAML_DOCUMENT_END_EVENT: return YAMLEvent(kind: .documentEnd, place: place)
        case YAML_ALIAS_EVENT: return YAMLEvent(kind: .alias(text(event.data.alias.anchor) ?? ""), place: place)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let value = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return YAMLEvent(
                kind: .scalar(value, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), place: place,
                anchor: text(scalar.anchor), tag: text(scalar.tag))
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            try check(tag: text(start.tag), is: "seq", "a list", place)
            return YAMLEvent(kind: .arrayStart, place: place, anchor: text(start.anchor))
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            try check(tag: text(start.tag), is: "map", "an object", place)
            return YAMLEvent(kind: .objectStart, place: place, anchor: text(start.anchor))
        case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .arrayEnd, place: place)
        case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .objectEnd, place: place)
        default: return nil
        }
    }

    private static func check(
        tag: String?, is kind: String, _ name: String, _ place: SourcePlace
    ) throws(SourceProblem) {
        guard let tag, tag != "!", tag != "tag:yaml.org,2002:\(kind)" else { return }
        throw SourceProblem(place, "\(name) cannot have the tag \(tag).")
    }

    private static func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        bytes.map { String(decodingCString: $0, as: UTF8.self) }
    }
}

extension SourcePlace {
    init(_ mark: yaml_mark_t) { self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1) }
}
