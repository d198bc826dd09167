internal import EventLoop

/// How one program of the platform is started and stopped.
struct ProgramDefinition: Sendable {
    var name: String
    var specification: ProcessSpecification
    var after: [String] = []
    /// What asks it to end; PostgreSQL takes SIGINT for a fast shutdown.
    var stopSignal: Int32
    /// Whether the signal goes to the whole group, or to the process alone, which then ends its own children.
    var stopsGroup = false
    /// Run on the loop before each start, to make the program's folders and files.
    var prepare: (@Sendable () async throws -> Void)?
}
