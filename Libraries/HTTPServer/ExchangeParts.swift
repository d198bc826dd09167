internal import Core
internal import HTTPMessage

/// What the protocol under an exchange does for it. All on the loop.
protocol ExchangeChannel: AnyObject {
    /// Sends the head, and all of the body when it is given; nil means that pieces follow.
    func sendHead(_ exchange: Exchange, _ head: HTTPResponse, length: Int?, body: [UInt8]?)
    /// Sends a piece. Returns whether there is room for more; if not, `exchange.writable()` tells when there is.
    func sendBody(_ exchange: Exchange, _ bytes: [UInt8], end: Bool) -> Bool
    /// Takes the received bytes, which grants the client as many new ones.
    func takeInbound(_ exchange: Exchange) -> [UInt8]
    /// Nobody reads the rest of the request's body.
    func discardInbound(_ exchange: Exchange)
    /// Breaks the exchange off so that the client sees it.
    func abort(_ exchange: Exchange)
    /// A body or room for one is awaited: look after clients that send or take nothing.
    func watchPeer()
    /// Whether each exchange is a stream of its own (HTTP/2).
    var carriesStreams: Bool { get }
    /// Whether the request asks to change the protocol to WebSocket (HTTP/1.1).
    func asksForWebSocket(_ exchange: Exchange) -> Bool
    /// Answers so that from here on bytes flow both ways through `sendBody` and `takeInbound`.
    func openTunnel(_ exchange: Exchange, _ head: HTTPResponse) throws(HarbourError)
}

/// How far a file has been sent.
struct FileCursor {
    let file: HTTPFile
    var position = 0
    static let pieceSize = 65_536

    init(file: HTTPFile) { self.file = file }

    var rest: Int { file.length - position }

    mutating func next() throws(HarbourError) -> [UInt8] {
        let bytes = try file.read(at: position, upTo: FileCursor.pieceSize)
        position += bytes.count
        return bytes
    }
}

/// Since when a peer has made no progress.
struct StallMark {
    var since: MonotonicTime?
    var sentBytes = 0
    var receivedBytes = 0
}
