internal import COpenSSL
public import Core

extension ErrorCode {
    /// A certificate, key or authority file is missing, unreadable or does not fit.
    public static let tlsConfigurationInvalid = ErrorCode("TLS_CONFIGURATION_INVALID", status: 500)
    /// The other side's certificate is missing, has ended, names somebody else or comes from an unknown authority.
    public static let tlsCertificateRejected = ErrorCode("TLS_CERTIFICATE_REJECTED", status: 502)
    /// The two sides could not agree, or the other side sent an alert.
    public static let tlsHandshakeFailed = ErrorCode("TLS_HANDSHAKE_FAILED", status: 502)
    /// Bytes that are not TLS, were changed on the way, or stop in the middle.
    public static let tlsBroken = ErrorCode("TLS_CONNECTION_BROKEN", status: 502)
}

/// One entry of OpenSSL's per-thread error queue.
struct OpenSSLFailure {
    var library: Int32
    var reason: Int32
    var text: String

    /// The alert the other side sent, when this is one (SSL_AD_REASON_OFFSET, ssl.h).
    var isAlert: Bool { library == ERR_LIB_SSL && reason >= 1000 }
}

enum OpenSSLQueue {
    /// Empties the queue, which must be empty before a call whose failure is looked at.
    static func clear() { ERR_clear_error() }

    /// Takes everything out of the queue, oldest first.
    static func take() -> [OpenSSLFailure] {
        var failures: [OpenSSLFailure] = []
        while true {
            let code = ERR_get_error()
            if code == 0 { return failures }
            let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                ERR_error_string_n(code, buffer.baseAddress, buffer.count)
                return String(cString: buffer.baseAddress.unsafelyUnwrapped)
            }
            failures.append(
                OpenSSLFailure(library: openssl_error_library(code), reason: openssl_error_reason(code), text: text))
        }
    }

    /// An error whose private detail is the queue.
    static func error(_ code: ErrorCode, _ message: String) -> HarbourError {
        HarbourError(code, message, detail: describe(take()))
    }

    static func describe(_ failures: [OpenSSLFailure]) -> String? {
        failures.isEmpty ? nil : failures.map(\.text).joined(separator: "; ")
    }
}
