internal import ClusterBackend
internal import Core
internal import EventLoop
internal import Glibc
internal import Synchronization

/// What we show the other platform. Its file is read anew when it is refused, so that a token can be changed while the
/// platform runs.
final class RemoteToken: Sendable {
    private let file: String
    private let value = Mutex<Secret?>(nil)

    init(file: String) { self.file = file }

    /// The token, read first if it has not been.
    /// - Throws: `REMOTE_TOKEN_REJECTED` when there is none.
    func current() async throws(HarbourError) -> Secret {
        if let known = value.withLock({ $0 }) { return known }
        // Somebody else may have read it meanwhile, so what counts is that there is one.
        _ = try await renew()
        if let known = value.withLock({ $0 }) { return known }
        throw HarbourError(
            .remoteTokenRejected,
            "The file with the token for the other platform is empty. See HARBOUR_BACKEND_REMOTE_TOKEN_FILE.")
    }

    /// Reads the file again; true when it holds another token than before.
    func renew() async throws(HarbourError) -> Bool {
        let file = file
        let bytes: [UInt8]
        do {
            bytes = try await BlockingPool.shared.run { try RemoteToken.read(file) }
        } catch {
            throw .wrap(error)
        }
        let text = String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }.first.map(String.init)
        guard let text else { return false }
        return value.withLock { value in
            guard value != Secret(text) else { return false }
            value = Secret(text)
            return true
        }
    }

    private static func read(_ path: String) throws(HarbourError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw HarbourError(
                .remoteTokenRejected,
                "The file with the token for the other platform cannot be read. See HARBOUR_BACKEND_REMOTE_TOKEN_FILE.",
                detail: path)
        }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }
}
