internal import CCurl
internal import Core
internal import Cryptography

// The options of a transfer that hands mail in, and what its failures mean.

extension CurlEasy {
    func setMail(_ mail: MailEnvelope) throws(HarbourError) {
        let scheme = mail.server.url.prefix(8).lowercased()
        guard scheme.hasPrefix("smtp://") || scheme == "smtps://" else {
            throw HarbourError(.invalidParameter, "A mail server is named as smtp://host:port or smtps://host:port.")
        }
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        // Proxies of the environment are for the web.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_MAIL_FROM, "<\(mail.server.sender)>")
        setRecipient("<\(mail.recipient)>")
        set(CURLOPT_UPLOAD, 1)
        // A password goes over TLS or not at all.
        set(CURLOPT_USE_SSL, mail.server.user == nil ? 1 : 3)
        if let user = mail.server.user {
            set(CURLOPT_USERNAME, user)
            set(CURLOPT_PASSWORD, mail.server.password)
        }
    }

    /// Nil for what is not special to mail.
    func mailError(_ result: CURLcode, _ host: String, _ detail: String) -> HarbourError? {
        switch result {
        case CURLE_LOGIN_DENIED:
            HarbourError(
                .unauthenticated, "The mail server \(host) does not accept our user and password.", detail: detail)
        case CURLE_SEND_ERROR, CURLE_REMOTE_ACCESS_DENIED, CURLE_WEIRD_SERVER_REPLY, CURLE_RECV_ERROR,
            CURLE_UPLOAD_FAILED:
            mailReply >= 500
                ? HarbourError(
                    .mailRejected, "The mail server \(host) does not take the message: it answered with \(mailReply).",
                    detail: detail)
                : HarbourError(.mailRefused, "The mail server \(host) did not take the message.", detail: detail)
        case CURLE_USE_SSL_FAILED:
            HarbourError(
                .tlsHandshakeFailed,
                "The mail server \(host) offers no TLS, and a password is not sent without.", detail: detail)
        default: nil
        }
    }
}
