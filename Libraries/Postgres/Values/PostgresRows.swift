internal import CPostgres
public import Core

/// The rows of an answer, kept as they came from the server; columns are decoded when they are asked for.
///
/// `@unchecked Sendable`: nothing changes after the answer is complete.
public struct PostgresRows: RandomAccessCollection, Sendable {
    private let result: ResultOwner

    init(_ result: ResultOwner) { self.result = result }

    /// Always 0.
    public var startIndex: Int { 0 }
    /// The number of rows.
    public var endIndex: Int { result.rowCount }

    /// The row at that place.
    public subscript(position: Int) -> PostgresRow {
        precondition(position >= 0 && position < endIndex, "row \(position) of \(endIndex)")
        return PostgresRow(result: result, row: Int32(position))
    }

    /// How many rows the statement inserted, updated, deleted or selected.
    public var affected: Int { result.affected }

    /// What the statement was and did, such as `COMMIT` or `INSERT 0 1`.
    var commandTag: String { result.commandTag }
}

/// One row of an answer.
public struct PostgresRow: Sendable {
    let result: ResultOwner
    let row: Int32

    /// How many columns there are.
    public var count: Int { Int(result.columnCount) }

    /// Decodes the columns in order: `let (id, name) = try row.decode((Int64.self, String?.self))`.
    /// Throws `INTERNAL_ERROR` when there are fewer columns or one is of another type.
    public func decode<each Value: PostgresDecodable>(
        _ types: (repeat (each Value).Type)
    ) throws(HarbourError) -> (repeat each Value) {
        var column: Int32 = -1
        func next<Next: PostgresDecodable>(_: Next.Type) throws(HarbourError) -> Next {
            column += 1
            return try Next(postgres: try value(column))
        }
        return (repeat try next((each Value).self))
    }

    /// Decodes the only or first column.
    public func decode<Value: PostgresDecodable>(_ type: Value.Type) throws(HarbourError) -> Value {
        try Value(postgres: value(0))
    }

    /// Decodes a column by its name.
    public subscript<Value: PostgresDecodable>(name: String, as type: Value.Type) -> Value {
        get throws(HarbourError) {
            let column = name.withCString { PQfnumber(result.pointer, $0) }
            guard column >= 0 else { throw missing("\"\(name)\"") }
            return try Value(postgres: value(column))
        }
    }

    /// Decodes a column by its place, the first being 0.
    public subscript<Value: PostgresDecodable>(column: Int, as type: Value.Type) -> Value {
        get throws(HarbourError) { try Value(postgres: value(Int32(clamping: column))) }
    }

    private func value(_ column: Int32) throws(HarbourError) -> PostgresValue {
        guard column >= 0, column < result.columnCount else { throw missing("\(column)") }
        let type = PostgresType(oid: PQftype(result.pointer, column))
        let name = { [result] in PQfname(result.pointer, column).map { String(cString: $0) } ?? "\(column)" }
        if PQgetisnull(result.pointer, row, column) != 0 { return PostgresValue(type: type, column: name, bytes: nil) }
        let bytes = UnsafeRawBufferPointer(
            start: PQgetvalue(result.pointer, row, column), count: Int(PQgetlength(result.pointer, row, column)))
        return PostgresValue(type: type, column: name, bytes: bytes)
    }

    private func missing(_ column: String) -> HarbourError {
        HarbourError(
            .internalError, "Something went wrong on our side. The log of the service has the details.",
            detail: "the answer has no column \(column)")
    }
}

/// Owner of one result of libpq. `@unchecked Sendable`: only read after it has been received.
final class ResultOwner: @unchecked Sendable {
    fileprivate let pointer: OpaquePointer
    let rowCount: Int
    let columnCount: Int32

    /// Takes over the result.
    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        rowCount = Int(PQntuples(pointer))
        columnCount = PQnfields(pointer)
    }

    deinit { PQclear(pointer) }

    var affected: Int { PQcmdTuples(pointer).flatMap { Int(String(cString: $0)) } ?? 0 }

    /// What the statement was and did, such as `COMMIT` or `INSERT 0 1`.
    var commandTag: String { PQcmdStatus(pointer).map { String(cString: $0) } ?? "" }

    enum Status {
        case rows
        case failed
        case aborted
        case sync
        case copyIn
        case copyOut
    }

    var status: Status {
        switch PQresultStatus(pointer) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: .rows
        case PGRES_PIPELINE_SYNC: .sync
        case PGRES_PIPELINE_ABORTED: .aborted
        case PGRES_COPY_IN: .copyIn
        case PGRES_COPY_OUT: .copyOut
        default: .failed
        }
    }

    var error: PostgresError {
        // The fields' codes are macros of characters, from postgres_ext.h.
        func field(_ letter: UnicodeScalar) -> String? {
            PQresultErrorField(pointer, Int32(letter.value)).map { String(cString: $0) }
        }
        let more = [field("D"), field("H")].compactMap { $0 }
        var error = PostgresError(
            sqlState: field("C") ?? "XX000",
            message: field("M") ?? PQresultErrorMessage(pointer).map { String(cString: $0) } ?? "",
            detail: more.isEmpty ? nil : more.joined(separator: " "), constraint: field("n"))
        error.table = field("t")
        error.routine = field("R")
        // The severity in English whatever the server's language.
        error.isFatal = ["FATAL", "PANIC"].contains(field("V"))
        return error
    }
}
