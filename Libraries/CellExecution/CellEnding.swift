public import Core
public import HarbourProtocol

/// How a cell ended, and so whether the next one runs.
public enum CellEnding: Sendable, Hashable {
    /// All of it ran.
    case finished
    /// The notebook has ended itself with a value; the rest is left out.
    case exited(String)
    /// It failed.
    case failed(CommandError)
    /// Somebody interrupted it.
    case interrupted

    /// Why it failed, when it did.
    public var error: CommandError? {
        if case .failed(let error) = self { error } else { nil }
    }
}

/// What a cell left behind.
public struct CellResult: Sendable, Hashable {
    /// How it ended.
    public var ending: CellEnding
    /// Its outputs as nbformat has them.
    public var outputs: [JSONValue]
    /// The kernel's count of this run, once it is known.
    public var executionCount: Int64?
    /// Whether something was left out because of a limit.
    public var isTruncated: Bool
    /// What it left for later tasks.
    public var values: [String: JSONValue] = [:]

    /// Describes what a cell left behind.
    public init(
        ending: CellEnding, outputs: [JSONValue], executionCount: Int64?, isTruncated: Bool,
        values: [String: JSONValue] = [:]
    ) {
        self.ending = ending
        self.outputs = outputs
        self.executionCount = executionCount
        self.isTruncated = isTruncated
        self.values = values
    }
}
