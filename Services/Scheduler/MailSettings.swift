internal import Configuration
internal import Core
internal import WebClient

/// How notifications by e-mail are sent.
enum MailSettings {
    private static let url = Option<String>.string(
        "smtp-url", environment: "HARBOUR_SCHEDULER_SMTP_URL", aliases: ["SMTP_URL"],
        help: "The mail server: smtp://host:587, with TLS where it offers it, or smtps://host:465."
    ).optional()
    private static let user = Option<String>.string(
        "smtp-user", environment: "HARBOUR_SCHEDULER_SMTP_USER", aliases: ["SMTP_USER"],
        help: "Who we are to the mail server, when it asks."
    ).optional()
    private static let password = Option<String>.string(
        "smtp-password", environment: "HARBOUR_SCHEDULER_SMTP_PASSWORD", aliases: ["SMTP_PASSWORD"],
        default: "", secret: true, help: "Our password at the mail server; it is sent over TLS only.")
    private static let sender = Option<String>.string(
        "smtp-from", environment: "HARBOUR_SCHEDULER_SMTP_FROM", aliases: ["SMTP_FROM"],
        default: "dataharbour@localhost", help: "The address that mail is from.")
    private static let pages = Option<String>.string(
        "public-url", environment: "HARBOUR_SCHEDULER_PUBLIC_URL",
        help: "The address at which people see the web page, for links in mail."
    ).optional()

    static let all: [any AnyOption] = [url, user, password, sender, pages]

    /// Nil when no mail server is set.
    static func mailer(_ configuration: Configuration, _ web: WebClient) throws(HarbourError) -> Mailer? {
        guard let address = configuration[url] else { return nil }
        guard MailMessage.isAddress(configuration[sender]) else {
            throw HarbourError(.invalidParameter, "HARBOUR_SCHEDULER_SMTP_FROM is no e-mail address.")
        }
        return Mailer(
            web: web,
            server: MailServer(
                url: address, user: configuration[user], password: configuration[password],
                sender: configuration[sender]),
            base: configuration[pages].map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 })
    }
}

/// Who sends mail, and where its links lead.
struct Mailer: Sendable {
    let web: WebClient
    let server: MailServer
    let base: String?

    func send(_ notification: DueNotification) async throws {
        try await web.send(
            try MailMessage(notification, base: base), through: server, deadline: .now + .seconds(60))
    }
}
