/// Writes the Swift type of a `oneOf`: an enum with a case for each variant. The variants declare the discriminator
/// themselves, as a constant.
struct UnionWriter {
    let declaration: Declaration
    let shape: UnionShape

    func write(to file: inout SourceFile) {
        file.document(declaration.description, "Which one it is, is told by `\(shape.discriminator)`")
        file.block("public enum \(declaration.name): JSONCodable, Sendable, Hashable {") { file in
            for variant in shape.variants {
                file.document("`\(variant.value)`")
                file.line("case \(SwiftName.member(variant.value))(\(variant.type))")
            }
            file.line()
            file.document("Writes the variant")
            file.block("public func encode(to writer: inout JSONWriter) {") { file in
                file.line("switch self {")
                for variant in shape.variants {
                    file.line("case .\(SwiftName.member(variant.value))(let value): value.encode(to: &writer)")
                }
                file.line("}")
            }
            file.line()
            file.document("Reads the variant that the discriminator names; any other is refused")
            file.block("public init(from reader: inout JSONReader) throws(JSONError) {") { file in
                file.line("let start = try reader.valueOffset()")
                file.line("switch try reader.discriminator(\"\(shape.discriminator)\") {")
                for variant in shape.variants {
                    file.line(
                        "case \"\(variant.value)\": "
                            + "self = .\(SwiftName.member(variant.value))(try \(variant.type)(from: &reader))")
                }
                let names = shape.variants.map(\.value).joined(separator: ", ")
                file.line("default:")
                file.line(
                    "    throw reader.invalidValue(at: start, \"must have as `\(shape.discriminator)` one of \(names)\")"
                )
                file.line("}")
            }
        }
    }
}
