internal import CYAML
public import Core

extension JSONValue {
    /// The value as a YAML document that reads back as the same: block style, texts of several lines as such.
    public func yaml() -> [UInt8] {
        var emitter = YAMLEmitter()
        emitter.emit(self)
        return emitter.finish()
    }
}

/// libyaml's emitter, and what it has written.
private struct YAMLEmitter: ~Copyable {
    private final class Output {
        var bytes: [UInt8] = []
    }
    private let emitter: UnsafeMutablePointer<yaml_emitter_t>
    private let output = Output()

    init() {
        emitter = .allocate(capacity: 1)
        emitter.initialize(to: yaml_emitter_t())
        precondition(yaml_emitter_initialize(emitter) == 1, "there is no memory for the emitter")
        yaml_emitter_set_output(
            emitter,
            { argument, bytes, count in
                guard let argument, let bytes else { return 0 }
                Unmanaged<Output>.fromOpaque(argument).takeUnretainedValue().bytes +=
                    UnsafeBufferPointer(start: bytes, count: count)
                return 1
            }, Unmanaged.passUnretained(output).toOpaque())
        yaml_emitter_set_unicode(emitter, 1)
        yaml_emitter_set_width(emitter, -1)
        emit { yaml_stream_start_event_initialize(&$0, YAML_UTF8_ENCODING) }
        emit { yaml_document_start_event_initialize(&$0, nil, nil, nil, 1) }
    }

    deinit {
        yaml_emitter_delete(emitter)
        emitter.deallocate()
    }

    mutating func finish() -> [UInt8] {
        emit { yaml_document_end_event_initialize(&$0, 1) }
        emit { yaml_stream_end_event_initialize(&$0) }
        return output.bytes
    }

    /// The emitter owns the event from here on. It refuses only what cannot be: events in a wrong order.
    private func emit(_ make: (inout yaml_event_t) -> Int32) {
        var event = yaml_event_t()
        precondition(make(&event) == 1, "there is no memory for the emitter")
        precondition(yaml_emitter_emit(emitter, &event) == 1, "the emitter refuses an event")
    }

    mutating func emit(_ value: JSONValue) {
        switch value {
        case .null: plain("null")
        case .bool(let value): plain(value ? "true" : "false")
        case .number(let number): plain(number.text)
        case .string(let text): self.text(text)
        case .array(let elements):
            emit { yaml_sequence_start_event_initialize(&$0, nil, nil, 1, YAML_BLOCK_SEQUENCE_STYLE) }
            for element in elements { emit(element) }
            emit { yaml_sequence_end_event_initialize(&$0) }
        case .object(let object):
            emit { yaml_mapping_start_event_initialize(&$0, nil, nil, 1, YAML_BLOCK_MAPPING_STYLE) }
            for (key, value) in object.fields {
                self.key(key)
                emit(value)
            }
            emit { yaml_mapping_end_event_initialize(&$0) }
        }
    }

    private func plain(_ text: String) { scalar(text, isPlain: true, YAML_PLAIN_SCALAR_STYLE) }

    private func key(_ text: String) {
        scalar(text, isPlain: isPlainText(text), YAML_PLAIN_SCALAR_STYLE)
    }

    private func text(_ text: String) {
        // A tab or a blank at a line's end would be lost to sight, and a block keeps no carriage returns.
        let isBlock =
            text.utf8.contains(0x0a) && !text.utf8.contains { $0 < 0x20 && $0 != 0x0a || $0 == 0x7f }
            && !text.contains(" \n") && !text.hasPrefix(" ") && !text.hasPrefix("\n")
        scalar(text, isPlain: isPlainText(text), isBlock ? YAML_LITERAL_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE)
    }

    private static let numberBytes = Set("0123456789abcdefABCDEFoxXtTzZ_.:+- ".utf8)

    /// Whether the text without quotes is read as the same text, by us and by readers of YAML 1.1.
    private func isPlainText(_ text: String) -> Bool {
        guard case .string = YAMLScalar.plain(text), text != "<<", text != "=" else { return false }
        let old: Set<String> = ["y", "n", "yes", "no", "on", "off", ".inf", "-.inf", "+.inf", ".nan"]
        let first = text.utf8.first ?? 0
        // Numbers, times and numbers to the base of 60.
        let isLikeNumber =
            ((0x30...0x39).contains(first) || [0x2b, 0x2d, 0x2e].contains(first))
            && text.utf8.allSatisfy { YAMLEmitter.numberBytes.contains($0) }
        return !old.contains(text.lowercased()) && !isLikeNumber
    }

    private func scalar(_ text: String, isPlain: Bool, _ style: yaml_scalar_style_t) {
        var text = text
        text.withUTF8 { bytes in
            emit { event in
                yaml_scalar_event_initialize(
                    &event, nil, nil, bytes.baseAddress, Int32(bytes.count), isPlain ? 1 : 0, 1, style)
            }
        }
    }
}
