/// A tar archive (POSIX ustar), by which files are put into a container.
struct TarArchive {
    private var bytes: [UInt8] = []
    private let user: UInt32
    private let group: UInt32

    /// An empty archive, whose entries belong to that user.
    init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }

    /// Adds a folder; its name has no slash at either end and 99 bytes at most.
    mutating func addFolder(_ name: String, mode: UInt32) { add("\(name)/", mode: mode, kind: "5", []) }

    /// Adds a file.
    mutating func addFile(_ name: String, mode: UInt32, _ content: [UInt8]) {
        add(name, mode: mode, kind: "0", content)
    }

    /// The archive with its end: two empty blocks.
    func finished() -> [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    private mutating func add(_ name: String, mode: UInt32, kind: Character, _ content: [UInt8]) {
        precondition(name.utf8.count < 100, "a name in an archive is short")
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
        }
        func put(octal value: some BinaryInteger, at offset: Int, digits: Int) {
            let text = String(value, radix: 8)
            put(String(repeating: "0", count: max(0, digits - text.utf8.count)) + text, at: offset)
        }
        put(name, at: 0)
        put(octal: mode, at: 100, digits: 7)
        put(octal: user, at: 108, digits: 7)
        put(octal: group, at: 116, digits: 7)
        put(octal: content.count, at: 124, digits: 11)
        put(octal: 0, at: 136, digits: 11)
        put(String(kind), at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        // The sum counts its own field as blanks.
        put("        ", at: 148)
        put(octal: header.reduce(0) { $0 + Int($1) }, at: 148, digits: 6)
        header[154] = 0
        bytes += header + content
        bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }
}
