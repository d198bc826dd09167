import Archive
import Core
import Glibc
import TestSupport
import Testing

/// A file in the folder of a test, as the source of an archive.
private final class FileSource: ZipSource {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    var size: Int { bytes.count }
    func read(at offset: Int) throws -> [UInt8] { Array(bytes[offset..<min(bytes.count, offset + 10_000)]) }
}

/// What an entry is, and what is in it.
private struct Unpacked: Equatable {
    var path: String?
    var bytes: [UInt8] = []
    var isFolder = false
}

@Suite("Zip archives beside zip, unzip and Python")
struct ArchiveTests {
    private let home: TemporaryDirectory

    init() throws { home = try TemporaryDirectory() }

    private static let peer = "\(#filePath.dropLast("ArchiveTests.swift".count))zip_peer.py"
    private static let time = Timestamp(milliseconds: 1_709_209_802_000)

    private func peer(_ arguments: String...) throws -> String {
        try runCommand(["python3", ArchiveTests.peer] + arguments)
    }

    private func load(_ path: String) throws -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        try #require(file >= 0)
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = read(file, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        return bytes
    }

    private func made(_ kind: String, _ more: String...) throws -> [UInt8] {
        let file = home.file("made.zip")
        unlink(file)
        _ = try runCommand(["python3", ArchiveTests.peer, "make", file, kind] + more)
        return try load(file)
    }

    private static func noise(_ count: Int) -> [UInt8] {
        var random = SeededGenerator(seed: 7)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// Files of every kind, and a name of other letters.
    private static let sample: [(path: String, bytes: [UInt8], isCompressed: Bool)] = [
        ("a/größe 漢字 🐳.txt", Array(String(repeating: "Grüße\n", count: 50_000).utf8), true),
        ("a/noise.bin", noise(300_000), false), ("a/noise-deflated.bin", noise(300_000), true),
        ("nothing", [], true), ("z.py", Array("print(1)\n".utf8), true),
    ]

    private func write() throws -> [UInt8] {
        let writer = try ZipWriter()
        var bytes: [UInt8] = []
        try writer.begin("a", .folder, modified: ArchiveTests.time)
        try writer.begin("a/empty folder", .folder, modified: ArchiveTests.time)
        for (path, content, isCompressed) in ArchiveTests.sample {
            try writer.begin(
                path, .file(size: content.count, isCompressed: isCompressed), modified: ArchiveTests.time)
            for start in stride(from: 0, to: content.count, by: 70_000) {
                try writer.write(Array(content[start..<min(content.count, start + 70_000)]))
                bytes += writer.take()
            }
        }
        try writer.finish()
        return bytes + writer.take()
    }

    private func unpack(_ bytes: [UInt8]) throws -> [Unpacked] {
        let reader = try ZipReader(FileSource(bytes))
        var entries: [Unpacked] = []
        while let entry = try reader.next() {
            var one = Unpacked(path: entry.path, isFolder: entry.kind == .folder)
            if entry.kind == .file { while let piece = try reader.read(30_000) { one.bytes += piece } }
            entries.append(one)
        }
        return entries
    }

    // MARK: Both directions

    @Test func pythonAndUnzipReadWhatWeWrite() throws {
        let bytes = try write()
        #expect(try write() == bytes, "the same entries make the same archive")
        let file = try home.write("ours.zip", bytes)
        #expect(try runCommand(["unzip", "-t", file]).contains("No errors detected"))
        let entries = try peer("list", file).split(separator: "\n").map { try JSONValue(json: Array($0.utf8)) }
        #expect(
            entries.compactMap { $0["path"]?.string } == ["a/", "a/empty folder/"] + ArchiveTests.sample.map(\.path))
        #expect(entries.allSatisfy { $0["year"]?.int64 == 2024 })
        #expect(entries[2]["isUTF8"]?.bool == true)
        #expect(entries[2]["method"]?.int64 == 8)
        #expect(entries[3]["method"]?.int64 == 0)
        try runCommand(["unzip", "-q", file, "-d", home.file("out")])
        for (path, content, _) in ArchiveTests.sample {
            #expect(try load(home.file("out/\(path)")) == content, "\(path)")
        }
        // 2024-02-29 12:30:02 UTC, to the second.
        #expect(try runCommand(["stat", "-c", "%Y", home.file("out/z.py")]) == "1709209802\n")
        #expect(try runCommand(["stat", "-c", "%F", home.file("out/a/empty folder")]) == "directory\n")
    }

    @Test func weReadWhatWeWrite() throws {
        let expected =
            [Unpacked(path: "a/", isFolder: true), Unpacked(path: "a/empty folder/", isFolder: true)]
            + ArchiveTests.sample.map { Unpacked(path: $0.path, bytes: $0.bytes) }
        #expect(try unpack(try write()) == expected)
    }

    @Test func weReadWhatZipAndPythonWrite() throws {
        let entries = try unpack(try made("good"))
        #expect(
            entries == [
                Unpacked(path: "folder/", isFolder: true),
                Unpacked(
                    path: "folder/größe 漢字.txt", bytes: Array(String(repeating: "Grüße", count: 1000).utf8)),
                Unpacked(path: "stored.bin", bytes: (0..<5000).flatMap { _ in 0...255 }), Unpacked(path: "empty"),
            ])
        try runCommand(["mkdir", "-p", home.file("in/folder/none")])
        let text = Array(String(repeating: "text ", count: 100_000).utf8)
        _ = try home.write("in/folder/ä.txt", text)
        try runCommand(["sh", "-c", "cd '\(home.file("in"))' && zip -qr ../theirs.zip ."])
        let theirs = try unpack(try load(home.file("theirs.zip")))
        #expect(theirs.contains(Unpacked(path: "folder/ä.txt", bytes: text)))
        #expect(theirs.contains(Unpacked(path: "folder/none/", isFolder: true)))
    }

    /// Entries beyond 4 GiB say so in other fields. Nothing of it is kept, so that it costs time only.
    @Test func sizesBeyondFourGibibytes() throws {
        let writer = try ZipWriter(level: 1)
        let file = home.file("large.zip")
        let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        let size = (4 << 30) + 5
        let piece = [UInt8](repeating: 0, count: 4 << 20)
        try writer.begin("zeros", .file(size: size, isCompressed: true), modified: ArchiveTests.time)
        var left = size
        while left > 0 {
            try writer.write(left < piece.count ? Array(piece[..<left]) : piece)
            left -= min(left, piece.count)
            let out = writer.take()
            #expect(out.count < 1 << 20)
            #expect(Glibc.write(descriptor, out, out.count) == out.count)
        }
        try writer.finish()
        let out = writer.take()
        #expect(Glibc.write(descriptor, out, out.count) == out.count)
        close(descriptor)
        #expect(try runCommand(["unzip", "-l", file]).contains("\(size)"))
        let reader = try ZipReader(FileSource(try load(file)))
        #expect(try reader.next()?.size == size)
        var read = 0
        while let piece = try reader.read(4 << 20) { read += piece.count }
        #expect(read == size)
    }

    // MARK: What is not to be trusted

    private func first(_ bytes: [UInt8]) throws -> ZipReader.Entry {
        try #require(try ZipReader(FileSource(bytes)).next())
    }

    @Test func whatIsNoFileIsSaidToBeNone() throws {
        #expect(try first(try made("link")).kind == .other)
        #expect(try first(try made("device")).kind == .other)
        #expect(try first(try made("not-utf8")).path == nil)
        let packed = try first(try made("lzma"))
        #expect(!packed.isReadable)
        let names = try unpack(try made("climbing")).map(\.path)
        // A name without any slash has those of Windows made into ours.
        #expect(
            names == ["../../etc/passwd", "a/../../b", "/absolute", "a/back\\slash", "win/dows"],
            "names come as they are")
        #expect(try unpack(try made("twice")).map(\.path) == ["same", "same"])
    }

    @Test func whatIsEncryptedIsSaidToBe() throws {
        _ = try home.write("secret.txt", Array("secret".utf8))
        try runCommand(["sh", "-c", "cd '\(home.path)' && zip -qP password secret.zip secret.txt"])
        let reader = try ZipReader(FileSource(try load(home.file("secret.zip"))))
        #expect(try reader.next()?.isEncrypted == true)
        #expect(throws: HarbourError.self) { try reader.read(10) }
    }

    @Test func whatIsDamagedIsRefused() throws {
        let good = try write()
        for cut in [0, 1, 21, good.count / 2, good.count - 1] {
            #expect(code { try unpack(Array(good[..<cut])) } == .invalidArchive, "cut at \(cut)")
        }
        // One byte of what is only stored: its checksum says so.
        var damaged = good
        let place = try #require(
            good.indices.first { good[$0...].starts(with: ArchiveTests.sample[1].bytes.prefix(64)) })
        damaged[place + 1000] ^= 1
        #expect(code { try unpack(damaged) } == .invalidArchive)
        #expect(code { try unpack(Array("no archive at all".utf8)) } == .invalidArchive)
    }

    /// Whatever it holds, it comes in pieces of the size that was asked for.
    @Test func bombsComeInPieces() throws {
        let bomb = try made("bomb")
        #expect(bomb.count < 100_000)
        let reader = try ZipReader(FileSource(bomb))
        #expect(try reader.next()?.size == 64 << 20)
        #expect(try reader.read(1 << 16)?.count == 1 << 16)
    }

    @Test func largeDirectoriesAreReadOrRefused() throws {
        let names = try ZipReader(FileSource(try made("names")))
        var count = 0
        while try names.next() != nil { count += 1 }
        #expect(count == 20_000)
        let comments = try made("comments")
        #expect(comments.count > ZipReader.directoryLimit && comments.count < 32 << 20)
        #expect(code { try ZipReader(FileSource(comments)).next() } == .invalidArchive)
    }

    @Test func errorsOfTheSourceComeThrough() throws {
        final class Broken: ZipSource {
            let good: [UInt8]
            init(_ good: [UInt8]) { self.good = good }
            var size: Int { good.count }
            func read(at offset: Int) throws -> [UInt8] {
                guard offset >= good.count / 2 else { throw HarbourError(.unavailable, "The disk is gone.") }
                return Array(good[offset...].prefix(1000))
            }
        }
        let good = try write()
        #expect(
            code {
                let reader = try ZipReader(Broken(good))
                while try reader.next() != nil { while try reader.read(1000) != nil {} }
            } == .unavailable)
    }

    @Test func entriesThatAreNotWholeAreOurMistake() throws {
        let writer = try ZipWriter()
        try writer.begin("a", .file(size: 2, isCompressed: true), modified: ArchiveTests.time)
        #expect(code { try writer.write([1, 2, 3]) } == .internalError)
        try writer.write([1])
        #expect(code { try writer.finish() } == .internalError)
        #expect(code { try writer.begin("b", .folder, modified: ArchiveTests.time) } == .internalError)
    }

    private func code<Value>(_ body: () throws -> Value) -> ErrorCode? {
        do {
            _ = try body()
            return nil
        } catch { return HarbourError.wrap(error).code }
    }

    /// Whatever comes, it is read or refused.
    @Test func fuzzed() throws {
        let corpus = [try made("good"), try made("link"), try made("lzma"), try made("twice"), try made("climbing")]
        try fuzz("Archive", corpus: corpus, iterations: 500, maximumLength: 1 << 15) { input in
            do {
                let reader = try ZipReader(FileSource(input.bytes))
                while let entry = try reader.next() {
                    guard entry.kind == .file, entry.isReadable, !entry.isEncrypted else { continue }
                    var count = 0
                    while count < 4 << 20, let piece = try reader.read(1 << 16) { count += piece.count }
                    guard count <= entry.size else { throw HarbourError(.internalError, "more than it says") }
                }
            } catch {
                guard HarbourError.wrap(error).code == .invalidArchive else { throw error }
            }
        }
    }
}
