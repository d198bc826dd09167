import Core
import HTTP1

/// The entry that libFuzzer calls: every request is answered, and the machine must come to its end.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var connection = HTTP1ServerConnection()
    connection.receive(UnsafeRawBufferPointer(start: bytes, count: count))
    connection.receiveEnd()
    var isClosed = false
    while let event = connection.nextEvent() {
        switch event {
        case .close: isClosed = true
        case .end, .failed:
            guard connection.owesResponse else { continue }
            do throws(HarbourError) {
                try connection.respond(HTTP1ResponseHead(status: 200, contentLength: 0), body: [])
            } catch { preconditionFailure(error.message) }
        case .request, .body: break
        }
    }
    precondition(isClosed, "the connection did not end with its input")
    return 0
}
