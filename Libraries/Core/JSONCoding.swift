/// Writes itself as one JSON value.
public protocol JSONEncodable {
    /// Writes exactly one value.
    func encode(to writer: inout JSONWriter)
}

/// Reads itself from one JSON value.
public protocol JSONDecodable {
    /// Reads exactly one value.
    init(from reader: inout JSONReader) throws(JSONError)
}

/// Goes both ways.
public typealias JSONCodable = JSONEncodable & JSONDecodable

extension JSONEncodable {
    /// The value as JSON without white space.
    public func encodedJSON(capacity: Int = 512) -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        encode(to: &writer)
        return writer.finish()
    }

    /// The value as JSON in a string, for databases and command lines.
    public func jsonText() -> String { String(decoding: encodedJSON(), as: UTF8.self) }
}

extension JSONDecodable {
    /// Reads one whole document.
    /// - Throws: `MALFORMED_REQUEST` (or `code`), which names the field that is wrong; `subject` says what the
    ///   document is.
    public init(
        json bytes: [UInt8], subject: String = "body", code: ErrorCode = .malformedRequest
    ) throws(HarbourError) {
        do throws(JSONError) {
            try self.init(checkedJSON: bytes)
        } catch {
            throw error.harbourError(code: code, subject: subject)
        }
    }

    /// Reads one whole document from a string.
    public init(
        jsonText text: String, subject: String = "body", code: ErrorCode = .malformedRequest
    ) throws(HarbourError) {
        try self.init(json: Array(text.utf8), subject: subject, code: code)
    }

    /// Reads one whole document; the error has the path of the field in it.
    public init(
        checkedJSON bytes: [UInt8], maximumDepth: Int = JSONReader.defaultDepth
    ) throws(JSONError) {
        self = try JSONReader.read(bytes, maximumDepth: maximumDepth) { reader throws(JSONError) in
            try Self(from: &reader)
        }
    }
}

extension String: JSONCodable {
    /// Writes a string.
    public func encode(to writer: inout JSONWriter) { writer.value(self) }
    /// Reads a string.
    public init(from reader: inout JSONReader) throws(JSONError) { self = try reader.string() }
}

extension Int: JSONCodable {
    /// Writes a whole number.
    public func encode(to writer: inout JSONWriter) { writer.value(self) }
    /// Reads a whole number.
    public init(from reader: inout JSONReader) throws(JSONError) { self = try reader.int() }
}

extension Int64: JSONCodable {
    /// Writes a whole number.
    public func encode(to writer: inout JSONWriter) { writer.value(self) }
    /// Reads a whole number.
    public init(from reader: inout JSONReader) throws(JSONError) { self = try reader.int64() }
}

extension Double: JSONCodable {
    /// Writes a number.
    public func encode(to writer: inout JSONWriter) { writer.value(self) }
    /// Reads a number.
    public init(from reader: inout JSONReader) throws(JSONError) { self = try reader.double() }
}

extension Bool: JSONCodable {
    /// Writes `true` or `false`.
    public func encode(to writer: inout JSONWriter) { writer.value(self) }
    /// Reads `true` or `false`.
    public init(from reader: inout JSONReader) throws(JSONError) { self = try reader.bool() }
}

extension Timestamp: JSONCodable {
    /// Writes milliseconds since 1970.
    public func encode(to writer: inout JSONWriter) { writer.value(milliseconds) }
    /// Reads milliseconds since 1970.
    public init(from reader: inout JSONReader) throws(JSONError) { self.init(milliseconds: try reader.int64()) }
}

extension Array: JSONEncodable where Element: JSONEncodable {
    /// Writes an array.
    @inlinable public func encode(to writer: inout JSONWriter) {
        writer.beginArray()
        // Through the buffer, elements are read where they are: a copy of each would count all its strings up and down.
        withUnsafeBufferPointer { elements in
            for index in elements.indices { elements[index].encode(to: &writer) }
        }
        writer.endArray()
    }
}

extension Array: JSONDecodable where Element: JSONDecodable {
    /// Reads an array.
    public init(from reader: inout JSONReader) throws(JSONError) {
        self = try reader.array { reader throws(JSONError) in try Element(from: &reader) }
    }
}

extension Dictionary: JSONEncodable where Key == String, Value: JSONEncodable {
    /// Writes an object; its keys are sorted, so that equal maps are equal bytes.
    @inlinable public func encode(to writer: inout JSONWriter) {
        writer.beginObject()
        for index in sortedPlaces() {
            writer.key(self[index].key)
            self[index].value.encode(to: &writer)
        }
        writer.endObject()
    }

    /// The places of the entries in the order of their keys. Sorting places leaves the strings uncounted.
    @inlinable func sortedPlaces() -> [Index] {
        var places = Array(indices)
        guard places.count <= 16 else {
            places.sort { self[$0].key < self[$1].key }
            return places
        }
        // Few keys are the rule, and for them this is the quickest way.
        for sorted in 1..<Swift.max(places.count, 1) {
            var place = sorted
            while place > 0, self[places[place]].key < self[places[place - 1]].key {
                places.swapAt(place, place - 1)
                place -= 1
            }
        }
        return places
    }
}

extension Dictionary: JSONDecodable where Key == String, Value: JSONDecodable {
    /// Reads an object; a key that appears twice is refused.
    public init(from reader: inout JSONReader) throws(JSONError) {
        self = try reader.map { reader throws(JSONError) in try Value(from: &reader) }
    }
}

extension JSONReader {
    /// Reads an array of at most so many elements, each by the closure.
    @inlinable public mutating func array<Element>(
        count limits: ClosedRange<Int> = 0...Int.max,
        _ element: (inout JSONReader) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
        let start = try valueOffset()
        var elements: [Element] = []
        if try beginArray() {
            // Half of the way from one to many at once.
            elements.reserveCapacity(min(2, limits.upperBound))
            repeat {
                if elements.count == limits.upperBound {
                    throw invalidValue(at: start, "must have at most \(limits.upperBound) elements")
                }
                elements.append(try element(&self))
            } while try nextElement()
        }
        if elements.count < limits.lowerBound {
            throw invalidValue(at: start, "must have at least \(limits.lowerBound) elements")
        }
        return elements
    }

    /// Reads an object with free keys, at most so many, each value by the closure; keys must differ.
    @inlinable public mutating func map<Element>(
        count limit: Int = Int.max, _ element: (inout JSONReader) throws(JSONError) -> Element
    ) throws(JSONError) -> [String: Element] {
        let start = try valueOffset()
        var elements = [String: Element]()
        if try beginObject() {
            // Most maps are small; this saves them from growing entry by entry.
            elements = Dictionary(minimumCapacity: 3)
            repeat {
                let key = try key()
                let keyOffset = keyOffset
                let name = key.string
                if elements.count == limit { throw invalidValue(at: start, "must have at most \(limit) keys") }
                if elements.updateValue(try element(&self), forKey: name) != nil {
                    throw duplicateKey(at: keyOffset)
                }
            } while try nextKey()
        }
        return elements
    }
}
