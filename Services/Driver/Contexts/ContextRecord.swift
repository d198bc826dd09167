internal import Core

/// What a context was asked to be; kept on disk beside the journals of its commands.
struct ContextRecord: JSONCodable, Sendable, Hashable {
    static let fileName = "context.json"

    var id: String
    var language: String
    var kernel: String
    var parameters: [String: String]
    /// What earlier tasks of a run left, by task.
    var taskValues: JSONObject
    var created: Timestamp

    init(
        id: String, language: String, kernel: String, parameters: [String: String], taskValues: JSONObject = [:],
        created: Timestamp
    ) {
        self.id = id
        self.language = language
        self.kernel = kernel
        self.parameters = parameters
        self.taskValues = taskValues
        self.created = created
    }

    func encode(to writer: inout JSONWriter) {
        let object: JSONObject = [
            "context_id": .string(id), "language": .string(language), "kernel": .string(kernel),
            "created": .integer(created.milliseconds),
            "parameters": .object(
                JSONObject(parameters.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) })),
            "task_values": .object(taskValues),
        ]
        object.encode(to: &writer)
    }

    init(from reader: inout JSONReader) throws(JSONError) {
        let object = try JSONObject(from: &reader)
        id = object["context_id"]?.string ?? ""
        language = object["language"]?.string ?? ""
        kernel = object["kernel"]?.string ?? ""
        created = Timestamp(milliseconds: object["created"]?.int64 ?? 0)
        taskValues = object["task_values"]?.object ?? [:]
        parameters = (object["parameters"]?.object ?? [:]).reduce(into: [:]) { $0[$1.key] = $1.value.string }
    }
}
