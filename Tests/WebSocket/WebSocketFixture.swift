import Core
import WebSocket

/// A frame as a client or a server would send it, valid or not.
func frame(
    _ first: UInt8, _ payload: [UInt8], masked: Bool = true, mask: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
) -> [UInt8] {
    let bit: UInt8 = masked ? 0x80 : 0
    var bytes = [first]
    switch payload.count {
    case ..<126: bytes.append(bit | UInt8(payload.count))
    case ..<65_536: bytes += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
    default: bytes += [bit | 127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xff) }
    }
    if !masked { return bytes + payload }
    return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
}

func text(_ string: String, final: Bool = true) -> [UInt8] { frame(final ? 0x81 : 0x01, Array(string.utf8)) }

func closeFrame(_ code: Int, _ reason: [UInt8] = []) -> [UInt8] {
    frame(0x88, [UInt8(code >> 8), UInt8(code & 0xff)] + reason)
}

/// Events as text, and what was sent, from feeding a server the bytes in pieces.
func serve(
    _ bytes: [UInt8], pieces: Int = .max, limits: WebSocketLimits = WebSocketLimits(), end: Bool = false
) -> (events: [String], output: [UInt8]) {
    var connection = WebSocketConnection(role: .server, limits: limits)
    var events: [String] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        connection.receive(Array(rest.prefix(pieces)))
        rest = rest.dropFirst(pieces)
        while let event = connection.nextEvent() { events.append(describe(event)) }
    }
    if end {
        connection.receiveEnd()
        while let event = connection.nextEvent() { events.append(describe(event)) }
    }
    return (events, connection.takeOutput())
}

func describe(_ event: WebSocketEvent) -> String {
    switch event {
    case .text(let text): "text \(text)"
    case .binary(let bytes): "binary \(bytes.count)"
    case .pong(let bytes): "pong \(bytes.count)"
    case .closed(let closure):
        "closed \(closure.code.rawValue)\(closure.reason.isEmpty || !closure.isClean ? "" : " \(closure.reason)")"
    }
}

/// The code in the first close frame that a server sent.
func closeCode(_ output: [UInt8]) -> Int? {
    var rest = output[...]
    while rest.count >= 2 {
        let first = rest[rest.startIndex]
        var length = Int(rest[rest.startIndex + 1] & 0x7f)
        var size = 2
        if length == 126 {
            length = Int(rest[rest.startIndex + 2]) << 8 | Int(rest[rest.startIndex + 3])
            size = 4
        }
        let payload = rest.dropFirst(size).prefix(length)
        if first == 0x88 {
            return payload.count < 2 ? 0 : Int(payload.first ?? 0) << 8 | Int(payload.dropFirst().first ?? 0)
        }
        rest = rest.dropFirst(size + length)
    }
    return nil
}
