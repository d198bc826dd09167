/// What the cluster service gives each backend when it makes it.
public struct BackendContext: Sendable {
    /// The installation of DataHarbour this service belongs to. It never changes and is unlike all others, so that two
    /// installations can share a machine or an engine without ending each other's clusters.
    public var installation: String
    /// A folder of this backend's own for its files, made when missing. Short, for it may hold unix sockets, whose paths
    /// have 107 bytes at most.
    public var folder: String
    /// The operator's settings for this backend by name, without the prefix: `HARBOUR_BACKEND_<NAME>_<SETTING>`.
    public var settings: [String: String]

    /// Makes a context.
    public init(installation: String, folder: String, settings: [String: String] = [:]) {
        self.installation = installation
        self.folder = folder
        self.settings = settings
    }
}

/// A setting that an operator may give a backend. The service reads it from `HARBOUR_BACKEND_<NAME>_<SETTING>`, lists it
/// in its `--help`, and hands it over in `BackendContext.settings`.
public struct BackendSetting: Sendable, Hashable {
    /// Lower-case letters and underscores, such as `master`.
    public var name: String
    /// What it means, for the help text.
    public var help: String
    /// Other environment variables that are understood when the setting's own is not set.
    public var aliases: [String]
    /// The value when nobody gives one.
    public var fallback: String?
    /// Whether its value must never be printed.
    public var isSecret: Bool

    /// Declares a setting.
    public init(
        _ name: String, help: String, aliases: [String] = [], default fallback: String? = nil, secret: Bool = false
    ) {
        self.name = name
        self.help = help
        self.aliases = aliases
        self.fallback = fallback
        isSecret = secret
    }
}

/// A cluster's name, chosen by the service: 1 to 64 ASCII letters, digits, dashes and underscores, no dash in front.
///
/// That makes it safe as a file name, a label and a container name.
public struct ClusterIdentifier: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The name itself.
    public let text: String

    /// The identifier of that text, or nil when it has other characters or another length.
    public init?(_ text: String) {
        let allowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard allowed, (1...64).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "-") else { return nil }
        self.text = text
    }

    /// By text.
    public static func < (left: ClusterIdentifier, right: ClusterIdentifier) -> Bool { left.text < right.text }
    /// The text.
    public var description: String { text }
}

/// A value that must not be shown: it prints as a placeholder, in dumps and in string interpolation too.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    /// Wraps the value.
    public init(_ value: String) { self.value = value }

    /// The value, for the one place that needs it.
    public func reveal() -> String { value }

    /// A placeholder.
    public var description: String { "<secret>" }
    /// A placeholder.
    public var debugDescription: String { "<secret>" }
    /// Nothing inside.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
