internal import Configuration
internal import Core
internal import Glibc

/// The first token of the platform, which configuration gives in a file.
enum AdminToken {
    private static let lengths = 16...512

    /// Reads the token; spaces and line ends around it do not count.
    /// - Throws: `INVALID_CONFIGURATION` when the file has none.
    static func read(_ path: String) throws(HarbourError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw HarbourError(
                .invalidConfiguration,
                "The file of the administrator's token, \(path), cannot be read: \(String(cString: strerror(errno))).")
        }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(file, &buffer, buffer.count)
        let text = buffer.prefix(max(0, count))
        let token = text.drop { $0 <= 0x20 }.prefix { $0 > 0x20 }
        guard lengths.contains(token.count), text[token.endIndex...].allSatisfy({ $0 <= 0x20 }) else {
            throw HarbourError(
                .invalidConfiguration,
                "The file of the administrator's token, \(path), must hold one word of \(lengths.lowerBound) to "
                    + "\(lengths.upperBound) characters. Make one with `openssl rand -hex 32`.")
        }
        return Array(token)
    }
}
