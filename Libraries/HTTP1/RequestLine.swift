internal import Core
internal import HTTPMessage

/// The first line of a request (RFC 9112 section 3), checked but not copied.
struct RequestLine {
    /// What the target says, as ranges of the line.
    enum Target {
        /// Path and query.
        case origin(Range<Int>)
        /// `http://authority/path`: a nil path means the root.
        case absolute(authority: Range<Int>, path: Range<Int>?)
        /// The server itself.
        case asterisk
    }

    let method: HTTPMethod
    let target: Target
    /// Whether the client speaks HTTP/1.1 or a later minor version; otherwise it is 1.0.
    let isVersion11: Bool

    init(_ line: UnsafeBufferPointer<UInt8>) throws(HarbourError) {
        guard let methodEnd = line.firstIndex(of: 0x20), methodEnd > 0, methodEnd <= 64,
            line[..<methodEnd].allSatisfy(HTTPFields.isTokenByte)
        else { throw .malformed("it does not begin with a method") }
        method = HTTPMethod(bytes: UnsafeBufferPointer(rebasing: line[..<methodEnd]))
        let rest = line[(methodEnd + 1)...]
        guard let targetEnd = rest.firstIndex(of: 0x20), targetEnd > methodEnd + 1 else {
            throw .malformed("the request line needs a target and a version")
        }
        isVersion11 = try RequestLine.version(UnsafeBufferPointer(rebasing: line[(targetEnd + 1)...]))
        target = try RequestLine.target(line, (methodEnd + 1)..<targetEnd, method)
    }

    private static func version(_ bytes: UnsafeBufferPointer<UInt8>) throws(HarbourError) -> Bool {
        let name: StaticString = "HTTP/"
        guard bytes.count == 8, name.matches(UnsafeBufferPointer(rebasing: bytes[..<5])), bytes[6] == 0x2e,
            isDigit(bytes[5]), isDigit(bytes[7])
        else { throw .malformed("the request line does not end with a version") }
        guard bytes[5] == 0x31 else {
            throw HarbourError(.versionNotSupported, "This version of HTTP is not spoken here. Use HTTP/1.1 or HTTP/2.")
        }
        return bytes[7] != 0x30
    }

    private static func target(
        _ line: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ method: HTTPMethod
    ) throws(HarbourError) -> Target {
        guard line[range].allSatisfy(isTargetByte) else {
            throw .malformed("the target has characters that must be percent-encoded")
        }
        if method == .connect { throw HarbourError(.unsupported, "This server is no proxy.") }
        if line[range.lowerBound] == UInt8(ascii: "/") { return .origin(range) }
        if range.count == 1, line[range.lowerBound] == UInt8(ascii: "*") {
            guard method == .options else { throw .malformed("the target * is for OPTIONS only") }
            return .asterisk
        }
        guard let authorityStart = schemeEnd(line, range) else {
            throw .malformed("the target must begin with a slash, http:// or https://")
        }
        let end = line[authorityStart..<range.upperBound].firstIndex { $0 == 0x2f || $0 == 0x3f } ?? range.upperBound
        let authority = authorityStart..<end
        guard !authority.isEmpty, isHost(UnsafeBufferPointer(rebasing: line[authority])) else {
            throw .malformed("the target's host is not valid")
        }
        if end == range.upperBound { return .absolute(authority: authority, path: nil) }
        guard line[end] == 0x2f else { throw .malformed("the target has no path") }
        return .absolute(authority: authority, path: end..<range.upperBound)
    }

    private static func schemeEnd(_ line: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
        for scheme: StaticString in ["http://", "https://"] {
            let end = range.lowerBound + scheme.utf8CodeUnitCount
            guard end <= range.upperBound else { continue }
            if line[range.lowerBound..<end].elementsEqual(
                UnsafeBufferPointer(start: scheme.utf8Start, count: scheme.utf8CodeUnitCount),
                by: { HTTPFieldStorage.lowered($0) == $1 })
            {
                return end
            }
        }
        return nil
    }

    /// Visible ASCII without what browsers always encode (URL Standard, query percent-encode set). Some send the rest,
    /// although RFC 3986 would have it encoded too.
    private static func isTargetByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "<"), UInt8(ascii: ">"): false
        default: byte > 0x20 && byte < 0x7f
        }
    }

    /// `uri-host [":" port]` (RFC 9110 section 7.2) by its characters; no user and password before an `@`.
    static func isHost(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.count <= 261
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"):
                    true
                default: "-._~%!$&'()*+;=:[]".utf8.contains(byte)
                }
            }
    }
}

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

extension RequestLine {
    /// Whether the target itself says the host, which then counts and not the Host field (RFC 9112 section 3.2.2).
    var namesAuthority: Bool { if case .absolute = target { true } else { false } }

    /// Copies the target into the request.
    func store(_ line: UnsafeBufferPointer<UInt8>, in request: HTTPRequest) {
        switch target {
        case .origin(let range): request.setTarget(line.baseAddress.map { $0 + range.lowerBound }, range.count)
        case .absolute(let authority, let path):
            request.authorityRange = request.fields.storage.store(
                line.baseAddress.map { $0 + authority.lowerBound }, authority.count)
            if let path {
                request.setTarget(line.baseAddress.map { $0 + path.lowerBound }, path.count)
            } else {
                RequestLine.set(method == .options ? "*" : "/", in: request)
            }
        case .asterisk: RequestLine.set("*", in: request)
        }
    }

    private static func set(_ target: StaticString, in request: HTTPRequest) {
        request.setTarget(target.utf8Start, target.utf8CodeUnitCount)
    }
}
