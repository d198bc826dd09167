/// Makes ids for cells that have none: the same notebook always gets the same ids, and a cell keeps its id while others
/// are put in around it.
struct CellIdentity {
    private var taken: Set<String> = []

    /// Notes an id that a cell has; false when it is not allowed or another cell has it.
    mutating func claim(_ id: String) -> Bool { CellIdentity.isValid(id) && taken.insert(id).inserted }

    /// An id from what the cell is; equal cells are counted.
    mutating func make(kind: Cell.Kind, source: String) -> String {
        // FNV-1a: short, stable over releases, and nothing is at stake when two collide.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in kind.rawValue.utf8 { mix(byte) }
        mix(0)
        for byte in source.utf8 { mix(byte) }
        while true {
            let digits = String(hash, radix: 16)
            let id = String(repeating: "0", count: 16 - digits.utf8.count) + digits
            if taken.insert(id).inserted { return id }
            mix(1)
        }
    }

    /// 1 to 64 letters, digits, `-` and `_` (nbformat 4.5).
    static func isValid(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                let lower = byte | 0x20
                return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == 0x2d
                    || byte == 0x5f
            }
    }
}
