/// How a process is to be started: no shell is involved, and nothing of ours is inherited but what is named here.
public struct ProcessSpecification: Sendable {
    /// Where a descriptor of the child leads that it reads.
    public enum Input: Sendable {
        /// Our own standard input.
        case inherited
        /// `/dev/null`: at its end at once.
        case null
        /// A pipe whose other end is `ChildProcess.input`.
        case pipe
    }

    /// Where a descriptor of the child leads that it writes.
    public enum Output: Sendable {
        /// Our own of the same number.
        case inherited
        /// `/dev/null`.
        case null
        /// Appended to the file, which is made with mode 0600 when missing.
        case file(String)
        /// A pipe whose other end is `ChildProcess.output` or `.errors`.
        case pipe
        /// Standard error only: wherever standard output goes.
        case sameAsOutput
    }

    /// The variables the child sees.
    public enum Environment: Sendable {
        /// Ours, with these changed.
        case inherited(adding: [String: String] = [:])
        /// These and no others.
        case only([String: String])
    }

    /// Which process group the child belongs to.
    public enum Group: Sendable {
        /// Ours: a signal from the terminal reaches it too.
        case inherited
        /// One of its own, so that it and what it starts can be signalled together.
        case own
        /// A session of its own, without a controlling terminal; also a group of its own.
        case session
    }

    /// A limit the kernel enforces on the child (setrlimit(2)).
    public struct Limit: Sendable {
        /// What is limited.
        public enum Resource: Int32, Sendable {
            /// Seconds of processor time.
            case cpuSeconds = 0
            /// Bytes of one file.
            case fileSize = 1
            /// Bytes of a core file.
            case coreSize = 4
            /// Processes of the user.
            case processes = 6
            /// Open descriptors.
            case descriptors = 7
            /// Bytes of address space.
            case addressSpace = 9
        }
        /// What is limited.
        public var resource: Resource
        /// The limit in force.
        public var soft: UInt64
        /// How far the child may raise it.
        public var hard: UInt64

        /// Limits the resource; the child cannot raise it again.
        public init(_ resource: Resource, _ value: UInt64) {
            self.resource = resource
            soft = value
            hard = value
        }
    }

    /// A path, or a name that is looked up in the child's `PATH`.
    public var executable: String
    /// What follows the program's name.
    public var arguments: [String]
    /// The variables the child sees.
    public var environment: Environment = .inherited()
    /// Where the child starts; nil means where we are.
    public var directory: String?
    /// Descriptor 0.
    public var input: Input = .null
    /// Descriptor 1.
    public var output: Output = .inherited
    /// Descriptor 2.
    public var errors: Output = .inherited
    /// Descriptors of ours that become 3, 4, ... of the child. They stay ours to close.
    public var descriptors: [Int32] = []
    /// The child's process group.
    public var group: Group = .own
    /// Whether what is left of the group is killed when the child has ended. Only with a group of its own.
    public var sweepsGroup = true
    /// The signal the kernel sends the child when our process ends, however it ends. It does not reach what the child
    /// starts in turn, and the kernel forgets it when the program is setuid.
    public var parentDeathSignal: Int32?
    /// Added to our niceness.
    public var nice: Int32 = 0
    /// Limits of the child and of what it starts.
    public var limits: [Limit] = []

    /// Describes a process with everything at its default: no input, our outputs, our environment, a group of its own.
    public init(_ executable: String, _ arguments: [String] = []) {
        self.executable = executable
        self.arguments = arguments
    }
}
