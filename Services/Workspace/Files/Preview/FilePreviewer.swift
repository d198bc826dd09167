internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Looks into data files: the first rows, and a profile of each column. No more than the beginning of a file is read,
/// however large it is.
struct FilePreviewer: Sendable {
    /// What is looked at.
    static let byteLimit = 8 << 20
    private static let textLimit = 64 << 10
    private static let cellLength = 1000
    /// An answer with wide rows has fewer of them.
    private static let answerLimit = 4 << 20

    let reader: FileReader
    /// Nil where there is no Python environment of clusters.
    let parquet: ParquetReader?
    /// Less than the usual only where a test wants to see the end of it.
    var limit = FilePreviewer.byteLimit

    func preview(_ content: RevisionContent, rows: Int) async throws -> FilePreview {
        if content.fileName.lowercased().hasSuffix(".parquet") { return try await previewParquet(content, rows) }
        let count = min(content.size, limit)
        let bytes = try await reader.bytes(of: content, 0..<count)
        let name = content.fileName
        return try await BlockingPool.shared.run {
            var table = PreviewTable(rowLimit: rows)
            var preview = FilePreview(
                path: content.path, size: Int64(content.size), revisionID: content.revisionID, kind: .text, columns: [],
                rows: [], rowsRead: 0, bytesRead: Int64(bytes.count), isWhole: bytes.count == content.size)
            FilePreviewer.fill(&preview, &table, bytes, name: name)
            preview.columns = table.columns
            preview.rows = table.rows
            preview.rowsRead = Int64(table.count)
            return preview
        }
    }

    private func previewParquet(_ content: RevisionContent, _ rows: Int) async throws -> FilePreview {
        var preview = FilePreview(
            path: content.path, size: Int64(content.size), revisionID: content.revisionID, kind: .parquet, columns: [],
            rows: [], rowsRead: 0, bytesRead: 0, isWhole: false)
        guard let parquet else {
            preview.problem = "Parquet files are shown where the Python environment of clusters is installed."
            return preview
        }
        guard content.size <= ParquetReader.fileLimit else {
            preview.problem =
                "Parquet files of more than \(ParquetReader.fileLimit >> 20) MiB are not shown. Read it in a notebook."
            return preview
        }
        let found: ParquetReader.Rows
        do {
            found = try await parquet.read { [reader] write in
                try await reader.pieces(of: content, 0..<content.size, write)
            }
        } catch let error as HarbourError where error.code == .invalidState {
            preview.problem = error.message
            return preview
        }
        let known = preview
        return try await BlockingPool.shared.run {
            var (preview, table) = (known, PreviewTable(rowLimit: rows))
            table.setColumns(Array(found.columns.prefix(CSVReader.columnLimit)))
            FilePreviewer.readJSON(JSONRows.lines(of: found.lines, isWhole: true), &table, &preview)
            preview.columns = table.columns
            preview.rows = table.rows
            preview.rowsRead = Int64(table.count)
            preview.bytesRead = Int64(content.size)
            preview.isWhole = table.count == found.total
            return preview
        }
    }

    private static func fill(
        _ preview: inout FilePreview, _ table: inout PreviewTable, _ bytes: [UInt8], name: String
    ) {
        guard let encoding = TextEncoding.of(bytes, isWhole: preview.isWhole) else {
            preview.kind = .binary
            return
        }
        let bytes = encoding.utf8(bytes)
        if encoding != .utf8 { preview.encoding = encoding.rawValue }
        switch name.split(separator: ".").last.map({ $0.lowercased() }) ?? "" {
        case "csv", "tsv":
            preview.kind = .csv
            readCSV(bytes, name, isWhole: preview.isWhole, &table)
        case "jsonl", "ndjson":
            preview.kind = .jsonLines
            readJSON(JSONRows.lines(of: bytes, isWhole: preview.isWhole), &table, &preview)
        case "json":
            preview.kind = .json
            if let elements = JSONRows.elements(of: bytes) {
                readJSON(elements, &table, &preview)
            } else if let lines = objectLines(bytes, isWhole: preview.isWhole) {
                preview.kind = .jsonLines
                readJSON(lines, &table, &preview)
            } else if preview.isWhole {
                do throws(HarbourError) { _ = try JSONValue(json: bytes) } catch { preview.problem = error.message }
            }
            if table.isEmpty { preview.text = text(bytes) }
        default: preview.text = text(bytes)
        }
    }

    /// Several objects one below the other are lines, whatever the file is called.
    private static func objectLines(_ bytes: [UInt8], isWhole: Bool) -> [ArraySlice<UInt8>]? {
        let lines = JSONRows.lines(of: bytes, isWhole: isWhole)
        guard lines.count > 1, let first = lines.first, case .object? = try? JSONValue(json: Array(first)) else {
            return nil
        }
        return lines
    }

    private static func readCSV(_ bytes: [UInt8], _ name: String, isWhole: Bool, _ table: inout PreviewTable) {
        var records = CSVReader(bytes, separator: CSVReader.separator(of: bytes, name: name), isWhole: isWhole)
        guard let first = records.next() else { return }
        // Names differ and are no numbers; otherwise the first record is a row like all others.
        let hasNames = Set(first).count == first.count && first.allSatisfy { !$0.isEmpty && Double($0) == nil }
        table.setColumns(hasNames ? first : first.indices.map { "column \($0 + 1)" })
        if !hasNames { table.add(first) }
        while let record = records.next() { table.add(record) }
    }

    private static func readJSON(
        _ elements: [ArraySlice<UInt8>], _ table: inout PreviewTable, _ preview: inout FilePreview
    ) {
        for (index, element) in elements.enumerated() {
            do throws(HarbourError) {
                table.add(try JSONValue(json: Array(element)))
            } catch {
                preview.problem = "Value \(index + 1) is not JSON: \(error.message)"
                return
            }
        }
    }

    private static func text(_ bytes: [UInt8]) -> String {
        guard bytes.count > textLimit else { return String(decoding: bytes, as: UTF8.self) }
        // Not within a character.
        var end = textLimit
        while end > 0, bytes[end] & 0xc0 == 0x80 { end -= 1 }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    /// Rows as they are shown, and the profilers of their columns.
    struct PreviewTable {
        let rowLimit: Int
        private(set) var rows: [JSONValue] = []
        private(set) var count = 0
        private var names: [String] = []
        private var places: [String: Int] = [:]
        private var profilers: [ColumnProfiler] = []
        private var answerBytes = 0

        init(rowLimit: Int) { self.rowLimit = rowLimit }

        var isEmpty: Bool { names.isEmpty }
        var columns: [ColumnProfile] { profilers.map(\.profile) }

        mutating func setColumns(_ names: [String]) {
            for name in names { addColumn(name) }
        }

        private mutating func addColumn(_ name: String) {
            places[name] = names.count
            names.append(name)
            var profiler = ColumnProfiler(name: name)
            for _ in 0..<count { profiler.addMissing() }
            profilers.append(profiler)
        }

        /// A record of a CSV file; what it lacks is missing, what is too much gets a column.
        mutating func add(_ record: [String]) {
            while names.count < record.count { addColumn("column \(names.count + 1)") }
            for index in names.indices {
                if index < record.count { profilers[index].add(record[index]) } else { profilers[index].addMissing() }
            }
            count += 1
            show(names.indices.map { $0 < record.count && !record[$0].isEmpty ? .string(record[$0]) : .null })
        }

        /// An object, or any other value as the only column.
        mutating func add(_ value: JSONValue) {
            let fields: [(key: String, value: JSONValue)] =
                value.object.map { $0.fields.map { ($0.key, $0.value) } } ?? [("value", value)]
            for field in fields where places[field.key] == nil && names.count < CSVReader.columnLimit {
                addColumn(field.key)
            }
            var row = [JSONValue](repeating: .null, count: names.count)
            for field in fields { if let place = places[field.key] { row[place] = field.value } }
            for (index, value) in row.enumerated() {
                switch value {
                case .null: profilers[index].addMissing()
                case .string(let text): profilers[index].add(text)
                case .object, .array: profilers[index].addObject()
                default: profilers[index].add(value.jsonText())
                }
            }
            count += 1
            show(row)
        }

        private mutating func show(_ row: [JSONValue]) {
            guard rows.count < rowLimit, answerBytes < FilePreviewer.answerLimit else { return }
            let cells = row.map { cell -> JSONValue in
                let text: String
                switch cell {
                case .string(let value): text = value
                case .object, .array: text = cell.jsonText()
                default: return cell
                }
                let isShort = text.utf8.count <= FilePreviewer.cellLength
                return .string(isShort ? text : text.prefix(FilePreviewer.cellLength) + "…")
            }
            answerBytes += cells.reduce(0) { $0 + ($1.string?.utf8.count ?? 8) }
            rows.append(.array(cells))
        }
    }
}
