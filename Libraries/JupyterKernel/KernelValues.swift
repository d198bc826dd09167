public import Core

/// Code to be run by a kernel.
public struct KernelRequest: Sendable {
    /// The source.
    public var code: String
    /// Whether the kernel keeps the request out of its outputs, its history and its count.
    public var isSilent: Bool
    /// Metadata of the message: how our own kernels are told more than code.
    public var metadata: JSONObject

    /// Makes a request.
    public init(_ code: String, isSilent: Bool = false, metadata: JSONObject = [:]) {
        self.code = code
        self.isSilent = isSilent
        self.metadata = metadata
    }
}

/// One output of a request, as the Jupyter protocol has it.
public enum KernelOutput: Sendable, Hashable {
    /// Text on `stdout` or `stderr`.
    case stream(name: String, text: String)
    /// A media bundle to show; one with an id can be changed by later updates.
    case display(KernelBundle, displayID: String?)
    /// A new bundle for the display of that id.
    case updateDisplay(KernelBundle, displayID: String?)
    /// The value of the last expression.
    case result(KernelBundle, executionCount: Int64)
    /// An exception that nobody caught.
    case error(KernelError)
    /// Forget the outputs so far; with `wait`, only when the next one comes.
    case clearOutput(wait: Bool)
    /// A message of a widget, as it is.
    case comm(type: String, content: JSONValue)
    /// An output of so many bytes was over the limit and is lost.
    case oversized(Int)
}

/// A value in several media types.
public struct KernelBundle: Sendable, Hashable {
    /// Media type to value: text, base64 for binary types, any value for JSON types.
    public var data: JSONObject
    /// Media type to what more there is to say about it.
    public var metadata: JSONObject

    /// Makes a bundle.
    public init(data: JSONObject, metadata: JSONObject = [:]) {
        self.data = data
        self.metadata = metadata
    }
}

/// An exception in the kernel's language.
public struct KernelError: Sendable, Hashable {
    /// Its class.
    public var name: String
    /// Its text.
    public var message: String
    /// As the kernel formats it, possibly with ANSI colours.
    public var traceback: [String]
    /// Metadata of the message.
    public var metadata: JSONObject

    /// Makes an error.
    public init(name: String, message: String, traceback: [String] = [], metadata: JSONObject = [:]) {
        self.name = name
        self.message = message
        self.traceback = traceback
        self.metadata = metadata
    }
}

/// What a request asks whoever gave it, on the channel of the protocol that `input()` uses. Only kernels that know us ask
/// like this; the question of any other one is answered at once: there is nobody.
public struct KernelInput: Sendable, Hashable {
    /// Names the question.
    public var id: String
    /// What is asked: the member `dataharbour` of the message.
    public var question: JSONObject

    /// Makes a question.
    public init(id: String, question: JSONObject) {
        self.id = id
        self.question = question
    }
}

/// How a request ended.
public struct KernelResult: Sendable, Hashable {
    /// The ways to end.
    public enum Status: Sendable, Hashable {
        /// It ran to its end.
        case ok
        /// An exception ended it; an interrupt is one.
        case error(KernelError)
        /// The kernel refused to run it because of an earlier failure.
        case aborted
        /// The kernel ended before the request did; the text says how.
        case died(String)
        /// It was taken out of the queue before it began.
        case withdrawn
    }

    /// The way it ended.
    public var status: Status
    /// The kernel's count, where it tells.
    public var executionCount: Int64?
    /// Whether outputs may be missing because the kernel threw some away.
    public var mayLackOutputs = false

    /// Makes a result.
    public init(_ status: Status, executionCount: Int64? = nil) {
        self.status = status
        self.executionCount = executionCount
    }
}

/// What happens to a request, in this order: began, outputs and questions, ended.
public enum KernelRequestEvent: Sendable, Hashable {
    /// It was sent to the kernel: those before it have ended.
    case began
    /// The kernel has taken it up, with this count.
    case counted(Int64)
    /// It has put something out.
    case output(KernelOutput)
    /// It waits for an answer by `JupyterKernel.reply`.
    case asked(KernelInput)
    /// It has ended; nothing follows.
    case ended(KernelResult)
}

/// What a kernel says of itself.
public struct KernelInfo: Sendable, Hashable {
    /// The version of the protocol it speaks.
    public var protocolVersion: String
    /// Its name for itself.
    public var implementation: String
    /// Its language.
    public var language: String
    /// The language's version.
    public var languageVersion: String
    /// A line or more to greet with.
    public var banner: String
}
