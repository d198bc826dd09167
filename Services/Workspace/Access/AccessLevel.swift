internal import Core
internal import HarbourProtocol

/// What somebody may do with an object. Each level allows all that those below it allow.
enum AccessLevel: Int16, Sendable, Comparable, CaseIterable {
    case none = 0
    case view
    case run
    case edit
    case manage

    static func < (left: AccessLevel, right: AccessLevel) -> Bool { left.rawValue < right.rawValue }
}

/// What permissions are given on. The raw value is the word in the database.
enum SecurableKind: String, Sendable {
    case tree = "TREE"
    case cluster = "CLUSTER"
    case job = "JOB"
    case scope = "SCOPE"

    /// The kind of an `object_type` in an address; folders, notebooks and files are one tree.
    init?(objectType: String) {
        switch objectType {
        case "directories", "notebooks", "files": self = .tree
        case "clusters": self = .cluster
        case "jobs": self = .job
        case "secret-scopes": self = .scope
        default: return nil
        }
    }

    /// The names that Databricks has for the levels, lowest first, and what each allows.
    var levels: [(name: PermissionLevel, level: AccessLevel, allows: String)] {
        switch self {
        case .tree:
            [
                (.canRead, .view, "See, open and copy it."), (.canRun, .run, "Run it, too."),
                (.canEdit, .edit, "Change it and put new things into it, too."),
                (.canManage, .manage, "Move and delete it and give permissions, too."),
            ]
        case .cluster:
            [
                (.canView, .view, "See it, its events and its logs."),
                (.canAttachTo, .run, "Run commands and notebooks on it and see Spark's pages, too."),
                (.canRestart, .edit, "Start, restart and terminate it, too."),
                (.canManage, .manage, "Change and delete it, install libraries and give permissions, too."),
            ]
        case .job:
            [
                (.canView, .view, "See it, its runs and their output."),
                (.canManageRun, .run, "Start, cancel and repair its runs, too."),
                (.canManage, .manage, "Change and delete it and give permissions, too."),
            ]
        case .scope:
            [
                (.read, .view, "Use its secrets and see their names."), (.write, .edit, "Put and delete secrets, too."),
                (.manage, .manage, "Delete the scope and give permissions, too."),
            ]
        }
    }

    /// The highest named level that this one reaches; nil when it reaches none.
    func name(of level: AccessLevel) -> PermissionLevel? { levels.last { $0.level <= level }?.name }

    /// The lowest named level that allows this.
    func name(for level: AccessLevel) -> PermissionLevel { levels.first { $0.level >= level }?.name ?? .canManage }

    /// - Throws: `INVALID_PARAMETER_VALUE` for a level that things of this kind do not have.
    func level(named name: PermissionLevel) throws(HarbourError) -> AccessLevel {
        if let level = levels.first(where: { $0.name == name })?.level { return level }
        let known = levels.map(\.name.rawValue).joined(separator: ", ")
        throw HarbourError(
            .invalidParameter, "`permission_level` must be one of \(known) here, not \(name.rawValue).")
    }
}

/// One thing that permissions are about.
enum Securable: Sendable, Hashable {
    case path(WorkspacePath)
    case object(Int64)
    /// What is being uploaded: to its user, what they may do where it shall come; to others, nothing.
    case upload(String)
    /// What was deleted together, by its number.
    case deletion(Int64)
    case cluster(String)
    case job(Int64)
    case run(Int64)
    case backfill(Int64)
    case scope(String)

    var kind: SecurableKind {
        switch self {
        case .path, .object, .upload, .deletion: .tree
        case .cluster: .cluster
        case .job, .run, .backfill: .job
        case .scope: .scope
        }
    }

    /// For messages and the audit log.
    var description: String {
        switch self {
        case .path(let path): path.text
        case .object(let id): "object \(id)"
        case .upload(let id): "upload \(id)"
        case .deletion(let id): "deletion \(id)"
        case .cluster(let id): "cluster \(id)"
        case .job(let id): "job \(id)"
        case .run(let id): "run \(id)"
        case .backfill(let id): "backfill \(id)"
        case .scope(let name): "secret scope \(name)"
        }
    }
}
