import CommandJournals
import Core
import EventLoop
import Glibc
import HarbourProtocol
import JupyterKernel
import TestSupport
import Testing

@testable import DriverService

@Suite struct JournalTests {
    @Test func theChecksumIsTheStandardOne() {
        // The check value of CRC-32C, and those of RFC 3720 appendix B.4.
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    }

    @Test func aFileCutAnywhereKeepsItsWholeRecords() async throws {
        try await withScratch { folder in
            let records = [[1], [], [UInt8](repeating: 7, count: 300), Array("last".utf8)]
            let path = "\(folder)/whole"
            do {
                var file = try RecordFile(creating: path)
                for record in records { _ = try file.append(record) }
            }
            let bytes = try #require(ScratchFolder.contents(of: path))
            for length in 0...bytes.count {
                let cut = "\(folder)/cut"
                try ScratchFolder.write(Array(bytes[..<length]), to: cut)
                var found: [[UInt8]] = []
                do {
                    var file = try RecordFile(opening: cut) { _, record in found.append(record) }
                    #expect(found == Array(records[..<found.count]))
                    let position = try file.append([42])
                    #expect(file.read(position) == [42])
                }
                var again: [[UInt8]] = []
                _ = try RecordFile(opening: cut) { _, record in again.append(record) }
                #expect(again == found + [[42]])
            }
        }
    }

    @Test func aChangedByteIsNoticed() async throws {
        try await withScratch { folder in
            let path = "\(folder)/file"
            do {
                var file = try RecordFile(creating: path)
                for record in [Array("first".utf8), Array("second".utf8)] { _ = try file.append(record) }
            }
            let bytes = try #require(ScratchFolder.contents(of: path))
            for index in bytes.indices {
                var changed = bytes
                changed[index] ^= 0x10
                try ScratchFolder.write(changed, to: path)
                var found: [[UInt8]] = []
                _ = try RecordFile(opening: path) { _, record in found.append(record) }
                #expect(found.count == (index < 13 ? 0 : 1))
            }
        }
    }

    @Test func whatTheFileDoesNotTakeIsRefusedOrKeptInMemory() async throws {
        try await withScratch { folder in
            let header = CommandHeader(
                contextID: "c", commandID: "1", language: "python", digest: "", submitted: .now)
            let journal = try CommandJournal(folder: folder, header: header)
            func append(_ text: String, changesState: Bool = false) throws {
                try journal.append(changesState: changesState) {
                    CommandEvent(sequence: $0, timestamp: .now, type: .stream, name: "stdout", text: text)
                }
            }
            try append("on disk")
            // A closed file fails as a full disk does.
            journal.seal()
            #expect(throws: HarbourError.self) { try append("nowhere") }
            try append("how it ends", changesState: true)
            #expect(throws: HarbourError.self) { try append("after its end") }
            let texts = try journal.events(after: 0, bytes: 1 << 20).map { try CommandEvent(json: $0).text }
            #expect(texts == ["on disk", "how it ends"])
            #expect(try journal.events(after: 1, bytes: 1 << 20).count == 1)
        }
    }

    /// Goal: user code that can write into the folder of its cluster has nothing read that is no journal of the command.
    @Test func whatIsNoJournalOfTheCommandIsRefused() async throws {
        try await withScratch { folder in
            let path = JournalRecord.file(in: folder, contextID: "c", commandID: "1")
            for part in ["", "/c", "/d"] { try ScratchFolder.make("\(folder)/\(JournalRecord.folder)\(part)") }
            func open(_ context: String = "c", _ command: String = "1") throws -> CommandHeader {
                let reader = try JournalReader(in: folder, contextID: context, commandID: command)
                return reader.header
            }
            func write(_ header: CommandHeader, to path: String) throws {
                var file = try RecordFile(creating: path)
                _ = try file.append(JournalRecord.header.record(header.encodedJSON()))
            }
            var header = CommandHeader(
                contextID: "c", commandID: "1", language: "python", digest: "", submitted: .now)
            try write(header, to: path)
            #expect(try open() == header)
            // Under another name, by a link, and in a folder that is one.
            #expect(rename(path, "\(folder)/journal/d/1.log") == 0)
            #expect(throws: HarbourError.self) { try open("d") }
            #expect(symlink("\(folder)/journal/d/1.log", path) == 0)
            #expect(throws: HarbourError.self) { try open() }
            #expect(unlink(path) == 0 && rmdir("\(folder)/journal/c") == 0)
            #expect(symlink("\(folder)/journal/d", "\(folder)/journal/c") == 0)
            #expect(throws: HarbourError.self) { try open() }
            #expect(unlink("\(folder)/journal/c") == 0)
            try ScratchFolder.make("\(folder)/journal/c")
            #expect(throws: HarbourError.self) { try open("..", "journal/d/1") }
            // A pipe, which nobody writes.
            #expect(mkfifo(path, 0o600) == 0)
            #expect(throws: HarbourError.self) { try open() }
            #expect(unlink(path) == 0)
            header.language = String(repeating: "x", count: 1 << 20)
            try write(header, to: path)
            #expect(throws: HarbourError.self) { try open() }
        }
    }

    @Test func batchesHaveALimit() async throws {
        try await withScratch { folder in
            let header = CommandHeader(contextID: "c", commandID: "1", language: "sql", digest: "", submitted: .now)
            let journal = try CommandJournal(folder: folder, header: header)
            for _ in 0..<100 {
                try journal.append(changesState: false) {
                    CommandEvent(
                        sequence: $0, timestamp: .now, type: .stream, text: String(repeating: "x", count: 1000))
                }
            }
            #expect(try journal.events(after: 0, bytes: 5000).count == 5)
            #expect(try journal.events(after: 98, bytes: 5000).count == 2)
            #expect(try journal.events(after: 100, bytes: 5000).isEmpty)
            #expect(try journal.events(after: 1000, bytes: 5000).isEmpty)
        }
    }

    /// Goal: a change of widgets that is too long, or one too many, is not left out silently.
    @Test func whatIsTooMuchOfWidgetsIsSaid() {
        // Nothing is cut here, so that no file is made.
        var limiter = OutputLimiter(
            byteLimit: 1 << 20, eventLimit: 100, overflow: OverflowFile(path: "/nowhere/overflow", limit: 1))
        func told(_ text: String) -> [CommandEventType] {
            let bundle = KernelBundle(data: [OutputLimiter.widgetsType: ["removed": [.string(text)]]])
            return limiter.drafts(of: .display(bundle, displayID: nil)).map(\.type)
        }
        #expect(told("x") == [.widgets])
        #expect(told(String(repeating: "x", count: 1 << 20)) == [.stream])
        for _ in 0..<15 { #expect(told("x") == [.widgets]) }
        #expect(told("x") == [.stream])
    }

    @Test func piecesOfTextAreWholeCharacters() {
        let text = String(repeating: "aä€😀", count: 50)
        for size in 4..<40 {
            let pieces = OutputLimiter.pieces(text, size)
            #expect(pieces.joined() == text)
            #expect(pieces.allSatisfy { $0.utf8.count <= size })
        }
    }

    @Test func aGrowingFileIsFollowed() async throws {
        try await withScratch { folder in
            try await withEventLoop { loop in
                let path = "\(folder)/log"
                try ScratchFolder.write(Array("one\r\ntwo\nthr".utf8), to: path)
                let book = LogBook(loop)
                let follower = try FileFollower(path, loop: loop) { book.add(source: "spark", $0) }
                let file = open(path, O_WRONLY | O_APPEND)
                let more = Array("ee\n\(String(repeating: "x", count: 40_000))\nlast\n".utf8)
                #expect(write(file, more, more.count) == more.count)
                close(file)
                let seen = Seen()
                await #expect(throws: CancellationError.self) {
                    try await book.read(after: 0, follow: true) { lines in
                        seen.texts += lines.map(\.text)
                        if seen.texts.last == "last" { throw CancellationError() }
                    }
                }
                #expect(Array(seen.texts.prefix(3)) == ["one", "two", "three"])
                #expect(seen.texts.dropFirst(3).dropLast().joined().utf8.count == 40_000)
                follower.close()
            }
        }
    }

    @Test func newLogLinesPushOutTheOldest() async throws {
        try await withEventLoop { loop in
            let book = LogBook(loop)
            for number in 1...5010 { book.add(source: "spark", "\(number)") }
            let seen = Seen()
            try await book.read(after: 0, follow: false) { seen.numbers += $0.map(\.sequence) }
            #expect(seen.numbers == Array(11...5010))
            seen.numbers = []
            try await book.read(after: 5008, follow: false) { seen.numbers += $0.map(\.sequence) }
            #expect(seen.numbers == [5009, 5010])
        }
    }
}

private final class Seen: @unchecked Sendable {
    var numbers: [Int64] = []
    var texts: [String] = []
}
