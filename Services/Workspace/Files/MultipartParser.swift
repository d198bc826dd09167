internal import Core
internal import Glibc
internal import HTTPMessage

/// Takes a `multipart/form-data` body apart as it comes (RFC 7578, RFC 2046 section 5.1). It holds no more than the
/// head of a part, or as much as a boundary has.
struct MultipartParser {
    enum Event: Equatable {
        case part(Part)
        case data([UInt8])
        case partEnd
        case end
    }

    /// What the head of a part says.
    struct Part: Equatable {
        var name = ""
        /// Nil for a field that is no file.
        var fileName: String?
    }

    private enum State { case preamble, delimiter, head, body, done }

    private static let headLimit = 16 << 10
    private let delimiter: [UInt8]
    /// The first boundary may stand at the very beginning.
    private var buffer: [UInt8] = [0x0d, 0x0a]
    private var state = State.preamble

    /// - Throws: `UNSUPPORTED_MEDIA_TYPE` when the type of the body is another one.
    init(contentType: String?) throws(HarbourError) {
        guard let type = contentType, type.lowercased().hasPrefix("multipart/form-data"),
            let boundary = MultipartParser.parameter("boundary", in: type), (1...70).contains(boundary.utf8.count)
        else {
            throw HarbourError(
                .unsupportedMediaType,
                "The body must be a form: multipart/form-data with a boundary, as curl -F sends it.")
        }
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    mutating func add(_ bytes: [UInt8]) { buffer += bytes }

    /// What comes next; nil when more bytes are needed to tell.
    mutating func next() throws(HarbourError) -> Event? {
        while true {
            switch state {
            case .preamble:
                guard let place = find(delimiter) else {
                    drop(max(0, buffer.count - delimiter.count + 1))
                    return nil
                }
                drop(place + delimiter.count)
                state = .delimiter
            case .delimiter:
                guard buffer.count >= 2 else { return nil }
                if buffer.starts(with: "--".utf8) {
                    state = .done
                    return .end
                }
                guard buffer.starts(with: "\r\n".utf8) else { throw MultipartParser.malformed }
                state = .head
            case .head:
                // The line end of the boundary is part of what ends the head, which may be empty.
                guard let place = find(Array("\r\n\r\n".utf8)) else {
                    guard buffer.count < MultipartParser.headLimit else { throw MultipartParser.malformed }
                    return nil
                }
                let head = String(decoding: buffer[..<place], as: UTF8.self)
                drop(place + 4)
                state = .body
                return .part(MultipartParser.part(head))
            case .body:
                if let place = find(delimiter) {
                    let data = Array(buffer[..<place])
                    // What is left begins with the delimiter; nothing is before it the next time.
                    if !data.isEmpty {
                        drop(place)
                        return .data(data)
                    }
                    drop(delimiter.count)
                    state = .delimiter
                    return .partEnd
                }
                let safe = buffer.count - delimiter.count + 1
                guard safe > 0 else { return nil }
                let data = Array(buffer[..<safe])
                drop(safe)
                return .data(data)
            case .done: return nil
            }
        }
    }

    /// - Throws: `MALFORMED_REQUEST` when the last boundary did not come.
    func finish() throws(HarbourError) {
        guard case .done = state else { throw MultipartParser.malformed }
    }

    private static let malformed = HarbourError(
        .malformedRequest, "The form is not complete or not well-formed. Send it again.")

    /// Where the wanted bytes begin, the first of which is rare.
    private func find(_ wanted: [UInt8]) -> Int? {
        buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var start = 0
            while start + wanted.count <= bytes.count,
                let found = memchr(base + start, Int32(wanted[0]), bytes.count - wanted.count - start + 1)
            {
                let place = UnsafeRawPointer(found) - base
                if memcmp(base + place, wanted, wanted.count) == 0 { return place }
                start = place + 1
            }
            return nil
        }
    }

    private mutating func drop(_ count: Int) { buffer.removeFirst(count) }

    private static func part(_ head: String) -> Part {
        var part = Part()
        for line in head.split(whereSeparator: { $0 == "\r\n" || $0 == "\n" })
        where line.lowercased().hasPrefix("content-disposition:") {
            part.name = parameter("name", in: String(line)) ?? ""
            part.fileName =
                parameter("filename*", in: String(line)).flatMap(extended) ?? parameter("filename", in: String(line))
        }
        return part
    }

    /// `UTF-8''r%C3%A9sum%C3%A9.csv`.
    private static func extended(_ text: String) -> String? {
        guard text.lowercased().hasPrefix("utf-8'"), let quote = text.lastIndex(of: "'") else { return nil }
        return PercentEncoding.decode(String(text[text.index(after: quote)...]))
    }

    /// A parameter of a field, quoted or not. Browsers write a quote in a name as `%22`.
    static func parameter(_ name: String, in field: String) -> String? {
        for item in field.split(separator: ";").dropFirst() {
            let parts = item.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmed.lowercased() == name else { continue }
            // What is in quotes may hold semicolons.
            guard parts[1].trimmed.hasPrefix("\""), let start = field.firstRange(of: item)?.lowerBound,
                let open = field[start...].firstIndex(of: "\"")
            else { return parts[1].trimmed }
            return String(field[field.index(after: open)...].prefix { $0 != "\"" }).replacing("%22", with: "\"")
        }
        return nil
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}
