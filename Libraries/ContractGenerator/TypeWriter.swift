import Core

/// Writes the Swift type of a schema with its encoder and its decoder.
struct TypeWriter {
    let declaration: Declaration
    /// All declarations of the contract, whose descriptions fields of their types fall back on.
    let declarations: [String: Declaration]

    func write(to file: inout SourceFile) throws {
        switch declaration.kind {
        case .object(let shape): writeStruct(shape, to: &file)
        case .enumeration(let cases, isOpen: false): try writeEnum(cases, to: &file)
        case .enumeration(let cases, isOpen: true): try writeOpenEnum(cases, to: &file)
        case .union(let shape): UnionWriter(declaration: declaration, shape: shape).write(to: &file)
        }
    }

    // MARK: Objects

    private func writeStruct(_ shape: ObjectShape, to file: inout SourceFile) {
        let members = shape.fields.filter { if case .constant = $0.shape { false } else { true } }
        file.document(declaration.description, shape.refusesUnknown ? "" : "Unknown fields are ignored")
        file.block("public struct \(declaration.name): JSONCodable, Sendable, Hashable {") { file in
            for field in members {
                file.document(description(of: field), field.shape.limitsInWords)
                guard isBoxed(field) else {
                    file.line("public var \(field.swiftName): \(stored(field))")
                    continue
                }
                file.block("public var \(field.swiftName): \(stored(field)) {") { file in
                    file.line("get { \(field.boxName).value }")
                    file.line("set { \(field.boxName) = Boxed(newValue) }")
                }
                file.line("private var \(field.boxName): Boxed<\(field.shape.swiftType)>")
            }
            if !members.isEmpty { file.line() }
            writeInitialiser(members, to: &file)
            file.line()
            writeEncoder(shape.fields, to: &file)
            file.line()
            writeDecoder(shape, members, to: &file)
        }
    }

    private func description(of field: Field) -> String {
        guard field.description.isEmpty, case .named(let name) = field.shape else { return field.description }
        return declarations[name]?.description ?? ""
    }

    private func type(of field: Field) -> String { field.shape.swiftType + (field.isOptional ? "?" : "") }

    /// `Optional<T>` rather than `T?`: fields of the latter are set to nil before an initialiser sets them, which keeps
    /// the compiler from making the value in place. It would be copied and its strings counted up and down.
    private func stored(_ field: Field) -> String {
        field.isOptional ? "Optional<\(field.shape.swiftType)>" : field.shape.swiftType
    }

    private func writeInitialiser(_ members: [Field], to file: inout SourceFile) {
        file.document("Makes a value; what is left out is absent on the wire")
        let arguments = members.map { field in
            "\(field.swiftName): \(type(of: field))" + (field.isOptional ? " = nil" : "")
        }
        signature("public init", arguments, to: &file) { file in
            for field in members {
                if isBoxed(field) {
                    file.line("\(field.boxName) = Boxed(\(field.swiftName))")
                } else {
                    file.line("self.\(field.swiftName) = \(field.swiftName)")
                }
            }
        }
    }

    private func writeEncoder(_ fields: [Field], to file: inout SourceFile) {
        file.document("Writes an object")
        file.block("public func encode(to writer: inout JSONWriter) {") { file in
            file.line("writer.beginObject()")
            for field in fields {
                let write = [
                    "writer.key(quoted: \"\\\"\(field.name)\\\":\")", field.shape.encoding(field.swiftName),
                ]
                if !field.isOptional {
                    for line in write { file.line(line) }
                } else if field.isRequired {
                    file.line(write[0])
                    file.line("if let \(field.swiftName) { \(write[1]) } else { writer.null() }")
                } else {
                    file.block("if let \(field.swiftName) {") { file in for line in write { file.line(line) } }
                }
            }
            file.line("writer.endObject()")
        }
    }

    private func writeDecoder(_ shape: ObjectShape, _ members: [Field], to file: inout SourceFile) {
        file.document("Reads an object and holds every field within its limits")
        file.block("public init(from reader: inout JSONReader) throws(JSONError) {") { file in
            for field in members {
                let type = field.shape.swiftType
                file.line("var \(field.swiftName)" + (isBoxed(field) ? " = Boxed<\(type)>.none" : ": \(type)?"))
            }
            if !shape.fields.isEmpty { file.line("var \(seen(shape)) = JSONFields(\"\(table(shape.fields))\")") }
            file.block("if try reader.beginObject() {") { file in
                file.block("repeat {", closing: "} while try reader.nextKey()") { file in
                    writeDispatch(shape, to: &file)
                }
            }
            for (index, field) in shape.fields.enumerated() where field.isRequired {
                guard field.isNullable || !members.contains(where: { $0.name == field.name }) else {
                    let source = isCounted(field.shape) ? " = consume \(field.swiftName)" : ""
                    file.line(
                        "guard let \(field.swiftName)\(source) else { throw reader.missingField(\"\(field.name)\") }")
                    continue
                }
                file.line("guard \(seen(shape)).has(\(index)) else { throw reader.missingField(\"\(field.name)\") }")
            }
            for field in members {
                let place = isBoxed(field) ? field.boxName : "self.\(field.swiftName)"
                file.line("\(place) = \(isCounted(field.shape) ? "consume " : "")\(field.swiftName)")
            }
        }
    }

    /// Whether a field is kept outside of the struct: when it is mostly absent and large.
    private func isBoxed(_ field: Field) -> Bool { field.isOptional && size(of: field.shape) > 40 }

    /// Bytes of a value inside a struct, about.
    private func size(of shape: Shape) -> Int {
        switch shape {
        case .string, .any, .anyObject: return 16
        case .array, .map, .int32, .int64, .timestamp, .double: return 8
        case .constant: return 0
        case .bool: return 1
        case .named(let name):
            switch declarations[name]?.kind {
            case .object(let object):
                return object.fields.reduce(0) { sum, field in
                    sum + (isBoxed(field) ? 8 : size(of: field.shape) + (field.isOptional ? 1 : 0))
                }
            case .union(let union): return union.variants.map { size(of: .named($0.type)) }.max() ?? 0
            case .enumeration(_, let isOpen): return isOpen ? 16 : 1
            case nil: return 0
            }
        }
    }

    /// Whether values hold references, so that moving one is cheaper than copying it.
    private func isCounted(_ shape: Shape) -> Bool {
        switch shape {
        case .string, .any, .anyObject, .array, .map: return true
        case .constant, .int32, .int64, .timestamp, .double, .bool: return false
        case .named(let name):
            switch declarations[name]?.kind {
            case .object(let object): return object.fields.contains { isCounted($0.shape) }
            case .enumeration(_, let isOpen): return isOpen
            case .union(let union): return union.variants.contains { isCounted(.named($0.type)) }
            case nil: return false
            }
        }
    }

    /// The table of `JSONFields`: each key with quotes and colon, after its length.
    private func table(_ fields: [Field]) -> String {
        fields.map { "\\u{\(String($0.name.utf8.count + 3, radix: 16))}\\\"\($0.name)\\\":" }.joined()
    }

    /// The variable that holds it; a field of the same name would hide it.
    private func seen(_ shape: ObjectShape) -> String {
        shape.fields.contains { $0.swiftName == "fields" } ? "fieldsSeen" : "fields"
    }

    private func writeDispatch(_ shape: ObjectShape, to file: inout SourceFile) {
        let unknown = shape.refusesUnknown ? "throw reader.unknownField()" : "try reader.skip()"
        guard !shape.fields.isEmpty else {
            file.line("_ = try reader.key()")
            file.line(unknown)
            return
        }
        file.line("switch try reader.field(&\(seen(shape))) {")
        for (index, field) in shape.fields.enumerated() { file.line("case \(index): \(assignment(field))") }
        file.line("default: \(unknown)")
        file.line("}")
    }

    private func assignment(_ field: Field) -> String {
        if case .constant = field.shape { return field.shape.decoding }
        let value = isBoxed(field) ? "Boxed(\(field.shape.decoding))" : field.shape.decoding
        let read = "\(field.swiftName) = \(value)"
        return field.isOptional ? "if try !reader.null() { \(read) }" : read
    }

    // MARK: Enumerations

    private func writeEnum(_ cases: [String], to file: inout SourceFile) throws {
        try checkCases(cases)
        file.document(declaration.description)
        file.block(
            "public enum \(declaration.name): String, JSONCodable, ParameterName, Sendable, Hashable, CaseIterable {"
        ) { file in
            for name in cases { file.line("case \(SwiftName.member(name)) = \"\(name)\"") }
            file.line()
            file.document("Writes the name")
            file.block("public func encode(to writer: inout JSONWriter) {") { file in
                file.line("switch self {")
                for name in cases {
                    file.line("case .\(SwiftName.member(name)): writer.literal(\"\\\"\(name)\\\"\")")
                }
                file.line("}")
            }
            file.line()
            file.document("Reads the name; any other is refused")
            file.block("public init(from reader: inout JSONReader) throws(JSONError) {") { file in
                let lengths = Dictionary(grouping: cases) { $0.utf8.count }
                file.block(
                    "let value = try reader.word { (word) -> \(declaration.name)? in", closing: "}"
                ) { file in
                    file.line("switch word.count {")
                    for length in lengths.keys.sorted() {
                        file.line("case \(length):")
                        for name in lengths[length] ?? [] {
                            file.line(
                                "    if word.matches(\"\(name)\") { return .\(SwiftName.member(name)) }")
                        }
                    }
                    file.line("default: break")
                    file.line("}")
                    file.line("return nil")
                }
                file.line("guard let value else { throw reader.unknownName(\(declaration.name).allCases) }")
                file.line("self = value")
            }
        }
    }

    private func writeOpenEnum(_ cases: [String], to file: inout SourceFile) throws {
        try checkCases(cases)
        file.document(declaration.description, "Names that are not known here are kept")
        file.block(
            "public struct \(declaration.name): RawRepresentable, JSONCodable, ParameterName, Sendable, Hashable {"
        ) { file in
            file.document("The name on the wire")
            file.line("public let rawValue: String")
            file.line()
            file.document("Takes any name")
            file.line("public init(rawValue: String) { self.rawValue = rawValue }")
            file.line()
            for name in cases {
                file.document("`\(name)`")
                file.line(
                    "public static let \(SwiftName.member(name)) = \(declaration.name)(rawValue: \"\(name)\")")
            }
            file.line()
            file.document("Writes the name")
            file.line("public func encode(to writer: inout JSONWriter) { writer.value(rawValue) }")
            file.line()
            file.document("Reads a name")
            file.block("public init(from reader: inout JSONReader) throws(JSONError) {") { file in
                file.line("rawValue = try reader.string(length: 1...128)")
            }
        }
    }

    private func checkCases(_ cases: [String]) throws {
        guard Set(cases.map(SwiftName.member)).count == cases.count else {
            throw ContractError("\(declaration.name) has two values that Swift would name the same")
        }
    }
}

/// Writes a function's head on one line, or an argument a line when it would be too long, and its body.
func signature(
    _ start: String, _ arguments: [String], ending: String = "", to file: inout SourceFile,
    body: (inout SourceFile) throws -> Void
) rethrows {
    let line = "\(start)(\(arguments.joined(separator: ", ")))\(ending) {"
    guard line.count > 100 else { return try file.block(line, body) }
    file.line("\(start)(")
    for (index, argument) in arguments.enumerated() {
        file.line("    \(argument)\(index + 1 < arguments.count ? "," : "")")
    }
    try file.block(")\(ending) {", body)
}
