internal import Core
internal import Glibc

/// A folder of the test's own, removed with everything in it when the last reference goes.
public final class TemporaryDirectory: Sendable {
    /// The folder's absolute path, without a slash at its end.
    public let path: String

    /// Makes the folder under `TMPDIR`, or `/tmp`.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when it cannot be made.
    public init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/harbour-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw HarbourError(.unavailable, "A folder for the test cannot be made.", detail: "errno \(errno)")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // What cannot be removed is left to the system's cleaning of its temporary folder.
        _ = try? runCommand(["rm", "-rf", path])
    }

    /// The path of a file in the folder.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file into the folder and returns its path.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when it cannot be written.
    @discardableResult
    public func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = file(name)
        guard let stream = fopen(path, "w") else {
            throw HarbourError(.unavailable, "The test's file \(path) cannot be written.", detail: "errno \(errno)")
        }
        let written = fwrite(bytes, 1, bytes.count, stream)
        guard fclose(stream) == 0, written == bytes.count else {
            throw HarbourError(.unavailable, "The test's file \(path) cannot be written.", detail: "errno \(errno)")
        }
        return path
    }
}
