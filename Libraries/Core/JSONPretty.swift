extension JSONValue {
    /// The value as JSON for people: a field or element a line, `indent` spaces a level, a newline at the end.
    public func prettyJSON(indent: Int = 2) -> [UInt8] {
        var printer = PrettyPrinter(indent: indent)
        printer.print(self)
        return printer.bytes + [0x0a]
    }
}

private struct PrettyPrinter {
    let indent: Int
    var bytes: [UInt8] = []
    var level = 0

    init(indent: Int) { self.indent = indent }

    mutating func print(_ value: JSONValue) {
        switch value {
        case .array(let elements) where !elements.isEmpty:
            bytes.append(UInt8(ascii: "["))
            level += 1
            for (position, element) in elements.enumerated() {
                newLine(after: position)
                print(element)
            }
            close(UInt8(ascii: "]"))
        case .object(let object) where !object.isEmpty:
            bytes.append(UInt8(ascii: "{"))
            level += 1
            for (position, field) in object.fields.enumerated() {
                newLine(after: position)
                bytes += field.key.encodedJSON()
                bytes += [UInt8(ascii: ":"), UInt8(ascii: " ")]
                print(field.value)
            }
            close(UInt8(ascii: "}"))
        default: bytes += value.encodedJSON()
        }
    }

    private mutating func newLine(after position: Int) {
        if position > 0 { bytes.append(UInt8(ascii: ",")) }
        breakLine()
    }

    private mutating func close(_ bracket: UInt8) {
        level -= 1
        breakLine()
        bytes.append(bracket)
    }

    private mutating func breakLine() {
        bytes.append(0x0a)
        bytes += repeatElement(UInt8(ascii: " "), count: indent * level)
    }
}
