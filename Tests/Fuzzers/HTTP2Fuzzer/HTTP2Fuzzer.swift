import Core
import HTTP2
import HTTPMessage

/// What every client begins with: the preface and SETTINGS.
private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

/// The entry that libFuzzer calls: the input is what follows a client's preface and settings, and every event is handled
/// as an owner would, so that all paths behind it are walked too.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(HTTP2Failure) {
        let server = try HTTP2Connection(role: .server)
        try feed(server, preface.count, from: preface.withUnsafeBufferPointer { $0.baseAddress })
        // The first byte says in how large pieces the rest comes.
        guard let bytes, count > 1 else { return 0 }
        let size = max(1, Int(bytes[0]))
        var position = 1
        while position < count, !server.isFinished {
            let length = min(size, count - position)
            try feed(server, length, from: bytes + position)
            position += length
        }
    } catch {
        // A connection may fail; it must only not do worse.
    }
    return 0
}

private func feed(_ server: HTTP2Connection, _ count: Int, from bytes: UnsafePointer<UInt8>?) throws(HTTP2Failure) {
    try server.receive(UnsafeRawBufferPointer(start: bytes, count: count), now: MonotonicTime(nanoseconds: 1))
    repeat { handle(server) } while try server.produce(upTo: 65_536) { _ in } > 0
}

private func handle(_ server: HTTP2Connection) {
    while let event = server.nextEvent() {
        switch event {
        case .head(let stream):
            if stream.isClosed { continue }
            if stream.id % 4 == 1 {
                server.respond(stream, status: 200, fields: ["a": "b"], contentLength: 1, date: [], body: [1])
            } else {
                server.respond(stream, status: 200, fields: [:], contentLength: nil, date: [], body: nil)
                server.write(stream, [UInt8](repeating: 1, count: 70_000))
            }
        case .data(let stream):
            _ = server.takeInbound(stream)
            if stream.inboundEnded { server.write(stream, [2], end: true) }
        case .closed(let stream, _):
            precondition(stream.isClosed, "a closed stream is open")
            server.recycle(stream)
        case .sentFirst(let stream): server.reset(stream, .noError)
        case .writable, .settings, .goAway, .pong: break
        }
    }
    precondition(server.openStreamCount <= server.settings.maxConcurrentStreams, "more streams than allowed")
}
