internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of users and groups. Who may call which is the gate's business.
struct PeopleHandlers: Sendable {
    let people: PeopleStore
    let groups: GroupStore
    let directory: Directory
    let authenticator: TokenAuthenticator
    let passwords: PasswordSignIn
    let tree: WorkspaceTree

    func register(on router: ServiceRouter) {
        registerUsers(on: router)
        registerGroups(on: router)
        router.on(WorkspaceAPI.getMe) { [directory, people] _, context in
            var me = Me(userName: context.userName, tokenName: context.caller.tokenName)
            guard let name = context.user, let principal = try await directory.principal(name) else { return me }
            me.role = principal.role
            me.groups = principal.groups
            me.displayName = try await people.user(name)?.displayName
            return me
        }
    }

    private func registerUsers(on router: ServiceRouter) {
        router.on(WorkspaceAPI.createUser) { [self] input, context in
            try await create(input.body, by: context.userName)
        }
        router.on(WorkspaceAPI.listUsers) { [self] input, context in
            let size = input.pageSize ?? 100
            let after = try input.pageToken.map { text throws(HarbourError) in
                try PageToken(text, count: 1).string(0)
            }
            var users = try await people.users(after: after ?? "", count: size + 1)
            let next = users.count > size ? PageToken(.string(users[size - 1].userName)).text : nil
            if users.count > size { users.removeLast(users.count - size) }
            let viewer = try await viewer(context)
            return UserList(users: users.map { PeopleHandlers.shown($0, to: viewer) }, nextPageToken: next)
        }
        router.on(WorkspaceAPI.getUser) { [self] input, context in
            PeopleHandlers.shown(try await user(input.userName), to: try await viewer(context))
        }
        router.on(WorkspaceAPI.editUser) { [self] input, _ in
            guard try await people.edit(input.userName, input.body) else {
                throw PeopleHandlers.missing(input.userName)
            }
            forget()
            return try await user(input.userName)
        }
        router.on(WorkspaceAPI.deleteUser) { [self] input, _ in
            guard try await people.retire(input.userName) else { throw PeopleHandlers.missing(input.userName) }
            forget()
            return Empty()
        }
        router.on(WorkspaceAPI.setPassword) { [self] input, context in
            try await setPassword(of: input.userName, input.body, context)
            return Empty()
        }
    }

    private func registerGroups(on router: ServiceRouter) {
        router.on(WorkspaceAPI.createGroup) { [self] input, context in
            let name = input.body.groupName
            guard name != Principal.everybody, name != Principal.administrators,
                try await groups.insert(name, members: input.body.members ?? [], by: context.userName)
            else { throw HarbourError(.alreadyExists, "There is a group \(name) already. Choose another name.") }
            directory.forget()
            return try await group(name)
        }
        router.on(WorkspaceAPI.listGroups) { [groups] _, _ in GroupList(groups: try await groups.groups()) }
        router.on(WorkspaceAPI.getGroup) { [self] input, _ in try await group(input.groupName) }
        router.on(WorkspaceAPI.deleteGroup) { [self] input, _ in
            _ = try await ownGroup(input.groupName)
            _ = try await groups.delete(input.groupName)
            directory.forget()
            return Empty()
        }
        router.on(WorkspaceAPI.addGroupMember) { [self] input, _ in
            _ = try await ownGroup(input.groupName)
            _ = try await user(input.userName)
            try await groups.add(input.userName, to: input.groupName)
            directory.forget()
            return try await group(input.groupName)
        }
        router.on(WorkspaceAPI.removeGroupMember) { [self] input, _ in
            _ = try await ownGroup(input.groupName)
            try await groups.remove(input.userName, from: input.groupName)
            directory.forget()
            return try await group(input.groupName)
        }
    }

    // MARK: Users

    private func create(_ wish: CreateUser, by creator: String) async throws -> User {
        if wish.kind == .servicePrincipal, wish.password != nil {
            throw HarbourError(
                .invalidParameter, "A service account has no password. Make a token for it with `user_name`.")
        }
        guard wish.userName != RequestContext.system else {
            throw HarbourError(.invalidParameter, "The platform itself is called system. Choose another name.")
        }
        var password: String?
        if let text = wish.password { password = try await passwords.hash(text) }
        guard try await people.insert(wish, password: password, by: creator) else {
            throw HarbourError(
                .alreadyExists,
                "There is a user \(wish.userName) already, or was: edit that one, or choose another name.")
        }
        directory.forget()
        // Everybody has a folder of their own.
        _ = try await tree.makeFolder(try WorkspacePath("/Users/\(wish.userName)"), by: wish.userName)
        return try await user(wish.userName)
    }

    private func setPassword(of name: String, _ body: SetPassword, _ context: RequestContext) async throws {
        let known = try await user(name)
        guard known.kind == .user else {
            throw HarbourError(.invalidParameter, "A service account has no password. Make a token for it.")
        }
        // Whoever finds an open browser must not be able to take the account over.
        if known.hasPassword == true, context.user == name {
            guard let current = body.currentPassword else {
                throw HarbourError(.invalidParameter, "Send the password of before as `current_password`.")
            }
            do throws(HarbourError) {
                _ = try await passwords.check(user: name, password: current, context.request)
            } catch {
                guard error.code == .unauthenticated else { throw error }
                throw HarbourError(.permissionDenied, "The password of before is another one. Try again.")
            }
        }
        guard try await people.setPassword(name, to: try await passwords.hash(body.password)) else {
            throw PeopleHandlers.missing(name)
        }
        forget()
    }

    private func user(_ name: String) async throws(HarbourError) -> User {
        guard let user = try await people.user(name) else { throw PeopleHandlers.missing(name) }
        return user
    }

    private func viewer(_ context: RequestContext) async throws(HarbourError) -> Principal? {
        guard let name = context.user else { return nil }
        return try await directory.principal(name)
    }

    /// Others see whom they can share with, and no more.
    private static func shown(_ user: User, to viewer: Principal?) -> User {
        guard viewer?.isAdministrator != true, viewer?.userName != user.userName else { return user }
        var user = user
        user.hasPassword = nil
        user.groups = nil
        user.createdTime = nil
        return user
    }

    private func forget() {
        directory.forget()
        authenticator.forget()
    }

    private static func missing(_ name: String) -> HarbourError {
        HarbourError(.notFound, "There is no user \(name). List the users to see who there is.")
    }

    // MARK: Groups

    private func group(_ name: String) async throws(HarbourError) -> Group {
        guard let group = try await groups.group(name) else {
            throw HarbourError(.notFound, "There is no group \(name). List the groups to see which there are.")
        }
        return group
    }

    /// A group that was made, and may be changed.
    private func ownGroup(_ name: String) async throws(HarbourError) -> Group {
        let group = try await group(name)
        guard group.builtIn != true else {
            throw HarbourError(
                .invalidState,
                "The group \(name) is the platform's own: `users` has everybody, `admins` whoever has the role ADMIN.")
        }
        return group
    }
}
