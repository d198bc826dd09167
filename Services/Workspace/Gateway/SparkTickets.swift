internal import Core
internal import Cryptography

/// What opens Spark's pages of one cluster to one browser: a part of their address.
///
/// These pages run in an origin of their own, to which a browser sends no session; so the right to read them is in their
/// address, and is good for nothing else. A ticket ends after a while, and with everything that ends the session it was
/// made from.
struct SparkTicket: Sendable, Hashable {
    /// The session it was made from.
    var session: SessionCookie
    var cluster: String
    var expires: Timestamp

    /// For how long a ticket is good; whoever reads on gets another with one click.
    static let lifetime = Duration.seconds(3600)

    init(_ session: SessionCookie, cluster: String, now: Timestamp = .now) {
        self.session = session
        self.cluster = cluster
        expires = min(now + SparkTicket.lifetime, session.expires)
    }
}

/// Makes and reads tickets. They are sealed rather than kept: every replica with the same secret can read them, and what
/// they say can be neither read nor changed by those in whose hands they are, the cluster's own programs among them.
struct SparkTickets: Sendable {
    private static let purpose = "spark tickets 1"
    /// Longer texts are none of ours.
    private static let longest = 2048
    private static let hashBytes = 32
    private static let nonceBytes = 16
    private let box: SealedBox

    /// - Parameter secret: the services' own, which outlives a restart.
    init(secret: String) {
        box = SealedBox(key: derivedKey(from: Array(secret.utf8), purpose: SparkTickets.purpose))
    }

    /// The ticket as a part of an address.
    func text(_ ticket: SparkTicket) -> String {
        let session = ticket.session
        var plain: [UInt8] = []
        for time in [ticket.expires, session.expires] {
            for shift in stride(from: 56, through: 0, by: -8) {
                plain.append(UInt8(truncatingIfNeeded: time.milliseconds >> shift))
            }
        }
        plain += session.tokenHash + session.nonce
        // No name has a zero in it.
        plain += Array(session.user.utf8) + [0] + Array(ticket.cluster.utf8)
        return Base64.encode(box.seal(plain, context: SparkTickets.purpose), .url)
    }

    /// Reads a ticket, also one that has ended; nil when it is none of ours.
    func read(_ text: String) -> SparkTicket? {
        guard text.utf8.count <= SparkTickets.longest, let sealed = Base64.decode(text, .url),
            let plain = try? box.open(sealed, context: SparkTickets.purpose)
        else { return nil }
        let names = 16 + SparkTickets.hashBytes + SparkTickets.nonceBytes
        guard plain.count > names, let zero = plain[names...].firstIndex(of: 0),
            let user = String(validating: plain[names..<zero], as: UTF8.self),
            let cluster = String(validating: plain[(zero + 1)...], as: UTF8.self)
        else { return nil }
        func time(at offset: Int) -> Timestamp {
            Timestamp(milliseconds: plain[offset..<offset + 8].reduce(0) { $0 << 8 | Int64($1) })
        }
        let session = SessionCookie(
            user: user, tokenHash: Array(plain[16..<16 + SparkTickets.hashBytes]), expires: time(at: 8),
            nonce: Array(plain[16 + SparkTickets.hashBytes..<names]))
        var ticket = SparkTicket(session, cluster: cluster)
        ticket.expires = time(at: 0)
        return ticket
    }
}
