public import Core

/// Something to be told about code that is being written, without running it.
public struct KernelQuestion: Sendable {
    /// What is asked.
    public enum Kind: Sendable, Hashable {
        /// How the name at the cursor may go on.
        case complete
        /// What is known of the name at the cursor; with detail 1 its source too.
        case inspect(detail: Int)
    }

    /// What is asked.
    public var kind: Kind
    /// The code.
    public var code: String
    /// Where the cursor is, in Unicode code points.
    public var cursor: Int
    /// Metadata of the message: how our own kernels are told more than code.
    public var metadata: JSONObject

    /// Makes a question.
    public init(_ kind: Kind, code: String, cursor: Int, metadata: JSONObject = [:]) {
        self.kind = kind
        self.code = code
        self.cursor = cursor
        self.metadata = metadata
    }

    var messageType: String {
        switch kind {
        case .complete: "complete_request"
        case .inspect: "inspect_request"
        }
    }

    var content: JSONObject {
        var content: JSONObject = ["code": .string(code), "cursor_pos": .integer(cursor)]
        if case .inspect(let detail) = kind { content["detail_level"] = .integer(detail) }
        return content
    }
}

/// How code may go on, as a kernel says.
public struct KernelCompletion: Sendable, Hashable {
    /// One way to go on.
    public struct Match: Sendable, Hashable {
        /// What takes the place of the text between the cursors.
        public var text: String
        /// What it is, where the kernel tells.
        public var type: String?
        /// A function's parameters, where the kernel tells.
        public var signature: String?
    }

    /// The ways, in the kernel's order.
    public var matches: [Match]
    /// Where the text begins whose place a match takes, in Unicode code points.
    public var start: Int
    /// Where it ends.
    public var end: Int
}

/// What a kernel tells of a name.
public struct KernelInspection: Sendable, Hashable {
    /// In several media types; nil when it knows no such name.
    public var bundle: KernelBundle?
}

extension JupyterKernel {
    /// How the name at the cursor may go on. Nil when the kernel does not say so in time: it answers nothing while it
    /// runs something, and is not even asked unless that ends within the patience. Once asked it has some seconds more.
    public func complete(_ question: KernelQuestion, within patience: Duration) async -> KernelCompletion? {
        await ask(question, within: patience).map(KernelContent.completion)
    }

    /// What is known of the name at the cursor; nil as for `complete`.
    public func inspect(_ question: KernelQuestion, within patience: Duration) async -> KernelInspection? {
        await ask(question, within: patience).map(KernelContent.inspection)
    }
}
