public import Core
internal import HTTPMessage

/// Where mail is handed in, as the operator has set it.
public struct MailServer: Sendable {
    /// `smtp://host:port`, with TLS where the server offers it, or `smtps://host:port`, with TLS from the first byte.
    public var url: String
    /// Who we are to the server; nil when it does not ask.
    public var user: String?
    /// The user's password; it is never sent without TLS.
    public var password: String
    /// Who the mail is from.
    public var sender: String

    /// Makes the setting of a server.
    public init(url: String, user: String? = nil, password: String = "", sender: String) {
        self.url = url
        self.user = user
        self.password = password
        self.sender = sender
    }
}

/// A message of plain text.
public struct MailMessage: Sendable {
    /// The one whom it is for.
    public var recipient: String
    /// One line; whatever it holds, it does not leave its header field.
    public var subject: String
    /// The text.
    public var text: String
    /// The same for every try, so that who gets it twice sees it once.
    public var messageID: String

    /// Makes a message.
    public init(recipient: String, subject: String, text: String, messageID: String) {
        self.recipient = recipient
        self.subject = subject
        self.text = text
        self.messageID = messageID
    }

    /// Whether the text is one address of the plain form `name@host`, with nothing in it that a mail's head or the
    /// conversation with a server could take for something else.
    public static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~-".utf8)
        return text.utf8.count <= 254 && parts.count == 2
            && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(allowed.contains) }
    }

    /// The message as it is sent (RFC 5322), at a time.
    func bytes(from sender: String, at time: Timestamp) -> [UInt8] {
        let host = sender.split(separator: "@").last ?? "localhost"
        var lines = [
            "From: DataHarbour <\(sender)>", "To: <\(recipient)>", "Subject: \(MailMessage.word(subject))",
            "Date: \(MailMessage.date(time))", "Message-ID: <\(messageID)@\(host)>", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
            "Auto-Submitted: auto-generated", "",
        ]
        var rest = Array(Base64.encode(Array(text.utf8)).utf8)[...]
        while !rest.isEmpty {
            lines.append(String(decoding: rest.prefix(76), as: UTF8.self))
            rest = rest.dropFirst(76)
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }

    /// A text as part of a header field: as it is, or in words of base64 (RFC 2047) that are short enough each.
    private static func word(_ text: String) -> String {
        if text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }), text.utf8.count <= 60, !text.contains("=?") {
            return text
        }
        var words: [String] = []
        var part = ""
        for character in text {
            if part.utf8.count + character.utf8.count > 42, !part.isEmpty {
                words.append(part)
                part = ""
            }
            // A character of many parts does not make a word too long.
            part += character.utf8.count > 42 ? "?" : String(character)
        }
        if !part.isEmpty { words.append(part) }
        return words.map { "=?utf-8?B?\(Base64.encode(Array($0.utf8)))?=" }.joined(separator: "\r\n ")
    }

    /// `Sat, 21 Nov 2026 04:05:06 +0000`.
    private static func date(_ time: Timestamp) -> String {
        let text = ISO8601.format(time)
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let day =
            time.milliseconds >= 0 ? time.milliseconds / 86_400_000 : (time.milliseconds - 86_399_999) / 86_400_000
        let date = CivilDate(daysSinceEpoch: Int(day))
        let clock = text.dropFirst(11).prefix(8)
        return "\(days[date.weekday]), \(date.day) \(months[date.month - 1]) \(date.year) \(clock) +0000"
    }
}

/// What a mail server is told besides the message.
struct MailEnvelope: Sendable {
    var server: MailServer
    var recipient: String
}

extension WebClient {
    /// Hands a message in.
    /// - Throws: `INVALID_PARAMETER_VALUE` for what is no address, `MAIL_REJECTED` when the server will not take it, `MAIL_REFUSED`
    ///   when it does not now,
    ///   `UNAUTHENTICATED` when it does not know us, `TLS_HANDSHAKE_FAILED` when there is a password but no TLS, and what
    ///   `send` throws.
    public func send(
        _ message: MailMessage, through server: MailServer, deadline: MonotonicTime? = nil
    ) async throws(HarbourError) {
        for address in [message.recipient, server.sender] where !MailMessage.isAddress(address) {
            throw HarbourError(.invalidParameter, "\(address) is no e-mail address.")
        }
        let bytes = message.bytes(from: server.sender, at: .now)
        var request = WebRequest(method: .put, url: server.url, body: .stream { try await $0.write(bytes) })
        request.mail = MailEnvelope(server: server, recipient: message.recipient)
        _ = try await send(request, deadline: deadline)
    }
}

extension ErrorCode {
    /// The mail server does not take the message, and will not take it later either: it has answered with 5xx.
    public static let mailRejected = ErrorCode("MAIL_REJECTED", status: 502)
    /// The mail server does not take the message now.
    public static let mailRefused = ErrorCode("MAIL_REFUSED", status: 502)
}
