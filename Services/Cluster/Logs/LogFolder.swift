internal import Compression
internal import Core
internal import Glibc
internal import HarbourProtocol

/// A sealed part of a kept log: its file's name says what is in it.
struct LogSegment: Sendable, Hashable {
    var first: Int64
    var last: Int64
    var firstTime: Int64
    var lastTime: Int64
    var bytes: Int

    /// `<first>-<last>-<first time>-<last time>.lz4`.
    var name: String { "\(first)-\(last)-\(firstTime)-\(lastTime).lz4" }

    init(_ lines: [LogLine], bytes: Int) {
        first = lines.first?.sequence ?? 0
        last = lines.last?.sequence ?? 0
        firstTime = lines.map(\.timestamp.milliseconds).min() ?? 0
        lastTime = lines.map(\.timestamp.milliseconds).max() ?? 0
        self.bytes = bytes
    }

    init?(name: String, bytes: Int) {
        guard name.hasSuffix(".lz4") else { return nil }
        let numbers = name.dropLast(4).split(separator: "-").compactMap { Int64($0) }
        guard numbers.count == 4, numbers[0] <= numbers[1] else { return nil }
        (first, last, firstTime, lastTime) = (numbers[0], numbers[1], numbers[2], numbers[3])
        self.bytes = bytes
    }
}

/// Where a line came from: which stream, and its number there. A service that comes back goes on after it.
struct KeptLine: Sendable {
    var origin: String
    var number: Int64
    var line: LogLine

    /// `<origin> <number> <json>\n`.
    var record: [UInt8] { Array("\(origin) \(number) ".utf8) + line.encodedJSON() + [UInt8(ascii: "\n")] }

    init(origin: String, number: Int64, line: LogLine) {
        self.origin = origin
        self.number = number
        self.line = line
    }

    init?(_ record: ArraySlice<UInt8>) {
        let parts = record.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard parts.count == 3, let number = Int64(String(decoding: parts[1], as: UTF8.self)),
            let line = try? LogLine(checkedJSON: Array(parts[2]))
        else { return nil }
        self.init(origin: String(decoding: parts[0], as: UTF8.self), number: number, line: line)
    }

    static func all(in bytes: [UInt8]) -> [KeptLine] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { KeptLine($0) }
    }
}

/// The files of one kept log. Calls block: they belong on a pool.
struct LogFolder: Sendable {
    /// What a folder holds when it is opened.
    struct Contents: Sendable {
        var segments: [LogSegment] = []
        var recent: [KeptLine] = []
        var positions: [String: Int64] = [:]
    }

    /// Uncompressed bytes of a segment are below this.
    static let segmentLimit = 64 << 20
    let path: String

    private var active: String { "\(path)/active" }
    private var positionsFile: String { "\(path)/positions" }

    /// Everything but the text of sealed segments; what a crash has left half done is put right.
    func open() -> Contents {
        var contents = Contents()
        contents.segments = KeptFiles.names(in: path).compactMap { name in
            LogSegment(name: name, bytes: KeptFiles.size("\(path)/\(name)"))
        }.sorted { $0.first < $1.first }
        for line in String(decoding: KeptFiles.read(positionsFile) ?? [], as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let number = Int64(words[1]) { contents.positions[String(words[0])] = number }
        }
        let sealed = contents.segments.last?.last ?? 0
        contents.recent = KeptLine.all(in: KeptFiles.read(active) ?? []).filter { $0.line.sequence > sealed }
        for kept in contents.recent {
            contents.positions[kept.origin] = max(contents.positions[kept.origin] ?? 0, kept.number)
        }
        return contents
    }

    /// Adds records to the end.
    func append(_ records: [UInt8]) throws(HarbourError) {
        try KeptFiles.makeFolder(path)
        try KeptFiles.append(records, to: active)
    }

    /// Makes a segment of the lines, which are all that the active file holds.
    func seal(_ lines: [KeptLine], _ positions: [String: Int64]) throws(HarbourError) -> LogSegment {
        let frame = LZ4Frame.compress(lines.flatMap(\.record), level: 3)
        let segment = LogSegment(lines.map(\.line), bytes: frame.count)
        try KeptFiles.write(frame, to: "\(path)/\(segment.name)")
        let text = positions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
        try KeptFiles.write(Array(text.utf8), to: positionsFile)
        try KeptFiles.write([], to: active)
        return segment
    }

    /// The lines of a sealed segment; none when it has been removed meanwhile.
    func lines(of segment: LogSegment) throws(HarbourError) -> [KeptLine] {
        guard let frame = KeptFiles.read("\(path)/\(segment.name)") else { return [] }
        return KeptLine.all(in: try LZ4Frame.decompress(frame, limit: LogFolder.segmentLimit))
    }

    func remove(_ segment: LogSegment) { unlink("\(path)/\(segment.name)") }
}
