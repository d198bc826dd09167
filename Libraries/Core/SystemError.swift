internal import Glibc

extension HarbourError {
    /// A failed system call, with errno's text in the private part.
    public static func system(_ message: String, _ number: Int32, code: ErrorCode = .unavailable) -> HarbourError {
        HarbourError(code, "\(message): \(String(cString: strerror(number))).", detail: "errno \(number)")
    }
}
