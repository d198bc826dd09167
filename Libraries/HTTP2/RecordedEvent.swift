/// An event as it is recorded: without a reference of its own to the stream, which the connection owns.
package enum RecordedEvent {
    case head(Unmanaged<HTTP2Stream>)
    case data(Unmanaged<HTTP2Stream>)
    case writable(Unmanaged<HTTP2Stream>)
    case sentFirst(Unmanaged<HTTP2Stream>)
    case closed(Unmanaged<HTTP2Stream>, HTTP2ErrorCode)
    case settings
    case goAway(lastStreamID: Int32, HTTP2ErrorCode)
    case pong(UInt64)

    /// The event as the owner of the connection gets it.
    @inline(__always)
    var told: HTTP2Event {
        switch self {
        case .head(let stream): return .head(stream.takeUnretainedValue())
        case .data(let stream): return .data(stream.takeUnretainedValue())
        case .writable(let stream): return .writable(stream.takeUnretainedValue())
        case .sentFirst(let stream): return .sentFirst(stream.takeUnretainedValue())
        case .closed(let stream, let code): return .closed(stream.takeUnretainedValue(), code)
        case .settings: return .settings
        case .goAway(let last, let code): return .goAway(lastStreamID: last, code)
        case .pong(let number): return .pong(number)
        }
    }
}
