/// Where a request stands in a distributed trace (W3C Trace Context, `traceparent` version 00).
public struct TraceContext: Sendable, Hashable {
    /// The upper half of the 16-byte trace id.
    public var traceIDHigh: UInt64
    /// The lower half of the 16-byte trace id.
    public var traceIDLow: UInt64
    /// The id of this step, the parent of what it calls.
    public var spanID: UInt64
    /// Whether the caller records this trace.
    public var isSampled: Bool

    /// Makes a context; ids of zero are not valid on the wire.
    public init(traceIDHigh: UInt64, traceIDLow: UInt64, spanID: UInt64, isSampled: Bool = false) {
        self.traceIDHigh = traceIDHigh
        self.traceIDLow = traceIDLow
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// The first step of a new trace.
    public static func make() -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return TraceContext(
            traceIDHigh: generator.next(), traceIDLow: generator.next() | 1, spanID: generator.next() | 1)
    }

    /// The next step of the same trace.
    public func child() -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        var child = self
        child.spanID = generator.next() | 1
        return child
    }

    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`; nil when it is not valid. Later versions are read as 00, as the
    /// specification asks.
    public init?(traceparent: String) {
        var text = traceparent
        guard let parsed = text.withUTF8({ TraceContext(traceparent: $0) }) else { return nil }
        self = parsed
    }

    package init?(traceparent bytes: UnsafeBufferPointer<UInt8>) {
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = TraceContext.hex(bytes, 0..<2), version != 0xff,
            version == 0 ? bytes.count == 55 : bytes.count == 55 || bytes[55] == dash,
            let high = TraceContext.hex(bytes, 3..<19), let low = TraceContext.hex(bytes, 19..<35),
            let span = TraceContext.hex(bytes, 36..<52), let flags = TraceContext.hex(bytes, 53..<55),
            high | low != 0, span != 0
        else { return nil }
        self.init(traceIDHigh: high, traceIDLow: low, spanID: span, isSampled: flags & 1 != 0)
    }

    /// The value of a `traceparent` field.
    public var traceparent: String {
        "00-\(traceID)-\(TraceContext.padded(spanID))-\(isSampled ? "01" : "00")"
    }

    /// The trace id as 32 hexadecimal digits, for logs.
    public var traceID: String { TraceContext.padded(traceIDHigh) + TraceContext.padded(traceIDLow) }

    private static func padded(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Lower-case hexadecimal only, as the specification asks.
    private static func hex(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for index in range {
            switch bytes[index] {
            case 0x30...0x39: value = value << 4 | UInt64(bytes[index] - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(bytes[index] - 0x57)
            default: return nil
            }
        }
        return value
    }
}
