internal import HarbourProtocol

/// A user as permissions see them: what they may do at most, and which groups speak for them.
struct Principal: Sendable, Hashable {
    /// The group that everybody is in.
    static let everybody = "users"
    /// The group of the administrators.
    static let administrators = "admins"

    let userName: String
    let role: UserRole
    /// The groups the user was put into.
    let ownGroups: [String]

    var isAdministrator: Bool { role == .admin }

    /// All groups of the user, the platform's own too.
    var groups: [String] {
        ownGroups + [Principal.everybody] + (isAdministrator ? [Principal.administrators] : [])
    }
}
