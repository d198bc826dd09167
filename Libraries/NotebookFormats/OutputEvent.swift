public import Core

/// What a kernel tells while it runs a cell, in the terms of the Jupyter protocol's messages on IOPub.
public enum OutputEvent: Sendable, Hashable {
    /// `stream`: text on `stdout` or `stderr`.
    case stream(name: String, text: String)
    /// `display_data`: something to show; a display id lets later events replace it.
    case display(data: JSONObject, metadata: JSONObject = [:], displayID: String? = nil)
    /// `update_display_data`: new content for a display of that id, in whichever cell it is.
    case updateDisplay(data: JSONObject, metadata: JSONObject = [:], displayID: String)
    /// `execute_result`: the value of the last expression.
    case result(count: Int64?, data: JSONObject, metadata: JSONObject = [:], displayID: String? = nil)
    /// `error`: an exception.
    case error(name: String, value: String, traceback: [String])
    /// `clear_output`: forget what was put out; with `wait`, when the next output comes.
    case clear(wait: Bool)
    /// `execute_input`: the kernel's count of this run.
    case executionCount(Int64)
}

/// What an event changed, for those who show the outputs.
public enum OutputChange: Sendable, Hashable {
    /// Nothing that is shown.
    case none
    /// One more output at this place.
    case appended(Int)
    /// The output at this place is another, or has more text.
    case replaced(Int)
    /// All outputs are gone.
    case cleared
    /// All outputs are gone, and there is a new first one.
    case restarted
    /// The display of this id is not in this cell.
    case elsewhere(displayID: String)
}

/// What bounds the outputs of one run of a cell.
public struct OutputLimits: Sendable, Hashable {
    /// Bytes of text and data; what comes after them is left out, and a line says so.
    public var bytes: Int
    /// How many outputs.
    public var outputs: Int

    /// Makes limits.
    public init(bytes: Int = 20 << 20, outputs: Int = 5_000) {
        self.bytes = bytes
        self.outputs = outputs
    }
}
