import WebSocket

/// The entry that libFuzzer calls: whatever a client sends, the connection ends exactly once.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var connection = WebSocketConnection(role: .server)
    connection.receive(UnsafeRawBufferPointer(start: bytes, count: count))
    connection.receiveEnd()
    var endings = 0
    while let event = connection.nextEvent() {
        if case .closed = event { endings += 1 }
    }
    precondition(endings == 1, "the connection did not end once")
    return 0
}
