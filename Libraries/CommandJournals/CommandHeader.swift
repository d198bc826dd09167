public import Core

/// What is written at the head of a command's journal, so that whoever comes later knows the command.
public struct CommandHeader: JSONCodable, Sendable, Hashable {
    /// The context it was given to.
    public var contextID: String
    /// Its own name there.
    public var commandID: String
    /// The language of its source.
    public var language: String
    /// SHA-256 of the source: tells a repeated request from another one of that name.
    public var digest: String
    /// When it was given.
    public var submitted: Timestamp

    /// Writes it as an object.
    public func encode(to writer: inout JSONWriter) {
        let object: JSONObject = [
            "context_id": .string(contextID), "command_id": .string(commandID), "language": .string(language),
            "digest": .string(digest), "submitted": .integer(submitted.milliseconds),
        ]
        object.encode(to: &writer)
    }

    /// Describes a command.
    public init(contextID: String, commandID: String, language: String, digest: String, submitted: Timestamp) {
        self.contextID = contextID
        self.commandID = commandID
        self.language = language
        self.digest = digest
        self.submitted = submitted
    }

    /// Reads it back.
    public init(from reader: inout JSONReader) throws(JSONError) {
        let object = try JSONObject(from: &reader)
        contextID = object["context_id"]?.string ?? ""
        commandID = object["command_id"]?.string ?? ""
        language = object["language"]?.string ?? ""
        digest = object["digest"]?.string ?? ""
        submitted = Timestamp(milliseconds: object["submitted"]?.int64 ?? 0)
    }
}
