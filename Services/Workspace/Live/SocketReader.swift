internal import Core
internal import HTTPServer
internal import WebSocket

/// Reads what a client says on a WebSocket, which is little: who says much more is sent away, and nothing of it is done.
struct SocketReader {
    private let socket: HTTPWebSocket
    /// A page that comes back asks for all that it follows at once.
    private var bucket = TokenBuckets<Bool>(capacity: SocketReader.atOnce, interval: .milliseconds(50))

    /// How many messages may come at once, and 20 a second after that.
    static let atOnce = 200

    init(_ socket: HTTPWebSocket) { self.socket = socket }

    /// The next message; nil when the connection is closed, from either side.
    mutating func next() async throws(HarbourError) -> HTTPWebSocket.Message? {
        while let message = try await socket.next() {
            if bucket.takeIfThere(true, at: .now) == nil { return message }
            // What comes after our goodbye is not read.
            socket.close(.policyViolation, reason: "TOO_MANY_MESSAGES")
        }
        return nil
    }
}
