internal import Core
internal import Glibc
internal import HarbourProtocol
internal import ServiceClients

/// `harbour users` and `harbour groups`.
enum PeopleCommands {
    private static let user = Argument(name: "user", help: "the user's name")
    private static let group = Argument(name: "group", help: "the group's name")
    private static let role = Flag.value(
        "role", "ROLE", "What the user may do at most", choices: ["admin", "user", "viewer"])

    static let users = Command(
        name: "users", summary: "Users and service accounts: who may sign in.",
        subcommands: [
            Command(name: "list", summary: "List the users.", run: listUsers),
            Command(
                name: "create", summary: "Make a user; the folder /Users/NAME comes with it.", arguments: [user],
                flags: [
                    role, .value("display-name", "NAME", "A name for people"),
                    .toggle("service", "A service account: it signs in with tokens only"),
                    .toggle("password", "Read a password from standard input"),
                ], run: createUser),
            Command(
                name: "edit", summary: "Change a user.", arguments: [user],
                flags: [
                    role, .value("display-name", "NAME", "A name for people"),
                    .value("active", "YES", "Whether the user may sign in", choices: ["yes", "no"]),
                ], run: editUser),
            Command(
                name: "set-password", summary: "Set a password, read from standard input; it ends all sessions.",
                arguments: [user], flags: [.toggle("current", "The first line is the password of before")],
                run: setPassword),
            Command(
                name: "delete", summary: "Shut a user out for good; what the user made stays.", arguments: [user],
                run: deleteUser),
        ])

    static let groups = Command(
        name: "groups", summary: "Groups of users, to give permissions to.",
        subcommands: [
            Command(name: "list", summary: "List the groups.", run: listGroups),
            Command(
                name: "create", summary: "Make a group.",
                arguments: [
                    group, Argument(name: "members", help: "users who are in it", isOptional: true, isRepeated: true),
                ], run: createGroup),
            Command(name: "add", summary: "Put a user into a group.", arguments: [group, user], run: addMember),
            Command(
                name: "remove", summary: "Take a user out of a group.", arguments: [group, user], run: removeMember),
            Command(
                name: "delete", summary: "Delete a group with its permissions.", arguments: [group], run: deleteGroup),
        ])

    // MARK: Users

    private static func show(_ users: [User], _ terminal: Terminal) {
        terminal.table(
            ["USER", "ROLE", "KIND", "ACTIVE", "PASSWORD", "GROUPS", "NAME"],
            users.map { user in
                [
                    user.userName, user.role.rawValue, user.kind == .user ? "user" : "service",
                    user.active ? "yes" : "no", user.hasPassword.map { $0 ? "yes" : "no" } ?? "-",
                    (user.groups ?? []).joined(separator: ","), user.displayName ?? "",
                ]
            })
    }

    private static func listUsers(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        var list = try await api.call(WorkspaceAPI.listUsers, .init(pageSize: 1000))
        while let token = list.nextPageToken {
            let next = try await api.call(WorkspaceAPI.listUsers, .init(pageSize: 1000, pageToken: token))
            list.users += next.users
            list.nextPageToken = next.nextPageToken
        }
        setting.terminal.answer(list)
        show(list.users, setting.terminal)
    }

    private static func createUser(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let wish = CreateUser(
            userName: invocation.word("user"), displayName: invocation.value("display-name"),
            kind: invocation.has("service") ? .servicePrincipal : .user, role: wantedRole(invocation),
            password: invocation.has("password") ? try Input.lines(1)[0] : nil)
        let user = try await PublicAPI(setting).call(WorkspaceAPI.createUser, .init(body: wish))
        setting.terminal.answer(user)
        show([user], setting.terminal)
    }

    private static func editUser(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let wish = EditUser(
            displayName: invocation.value("display-name"), role: wantedRole(invocation),
            active: invocation.value("active").map { $0 == "yes" })
        let user = try await PublicAPI(setting).call(
            WorkspaceAPI.editUser, .init(userName: invocation.word("user"), body: wish))
        setting.terminal.answer(user)
        show([user], setting.terminal)
    }

    private static func setPassword(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let lines = try Input.lines(invocation.has("current") ? 2 : 1)
        let wish = SetPassword(password: lines[lines.count - 1], currentPassword: lines.count == 2 ? lines[0] : nil)
        let user = invocation.word("user")
        setting.terminal.answer(
            try await PublicAPI(setting).call(WorkspaceAPI.setPassword, .init(userName: user, body: wish)))
        setting.terminal.say("\(user) has another password now; all sessions have ended.")
    }

    private static func deleteUser(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let user = invocation.word("user")
        setting.terminal.answer(try await PublicAPI(setting).call(WorkspaceAPI.deleteUser, .init(userName: user)))
        setting.terminal.say("\(user) cannot sign in any more.")
    }

    private static func wantedRole(_ invocation: Invocation) -> UserRole? {
        invocation.value("role").flatMap { UserRole(rawValue: $0.uppercased()) }
    }

    // MARK: Groups

    private static func show(_ groups: [Group], _ terminal: Terminal) {
        terminal.table(
            ["GROUP", "MEMBERS"],
            groups.map { group in
                let shown = group.members.prefix(10).joined(separator: ", ")
                return [group.groupName, group.members.count > 10 ? "\(shown), … (\(group.members.count))" : shown]
            })
    }

    private static func listGroups(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(WorkspaceAPI.listGroups, .init())
        setting.terminal.answer(list)
        show(list.groups, setting.terminal)
    }

    private static func createGroup(_ invocation: Invocation) async throws {
        let wish = CreateGroup(groupName: invocation.word("group"), members: invocation.allWords("members"))
        try await changed(invocation) { api in try await api.call(WorkspaceAPI.createGroup, .init(body: wish)) }
    }

    private static func addMember(_ invocation: Invocation) async throws {
        try await changed(invocation) { api in
            try await api.call(
                WorkspaceAPI.addGroupMember,
                .init(groupName: invocation.word("group"), userName: invocation.word("user")))
        }
    }

    private static func removeMember(_ invocation: Invocation) async throws {
        try await changed(invocation) { api in
            try await api.call(
                WorkspaceAPI.removeGroupMember,
                .init(groupName: invocation.word("group"), userName: invocation.word("user")))
        }
    }

    private static func changed(
        _ invocation: Invocation, _ change: (PublicAPI) async throws -> Group
    ) async throws {
        let setting = Setting(invocation)
        let group = try await change(PublicAPI(setting))
        setting.terminal.answer(group)
        show([group], setting.terminal)
    }

    private static func deleteGroup(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let group = invocation.word("group")
        setting.terminal.answer(try await PublicAPI(setting).call(WorkspaceAPI.deleteGroup, .init(groupName: group)))
        setting.terminal.say("The group \(group) is gone, and what was given to it.")
    }
}

/// What commands read from standard input.
enum Input {
    /// The first lines; on a terminal they are not shown while they are typed.
    static func lines(_ count: Int) throws(HarbourError) -> [String] {
        var settings = termios()
        let isTerminal = tcgetattr(0, &settings) == 0
        if isTerminal {
            Terminal.write(count == 1 ? "Password:\n" : "Password of before and new password, a line each:\n", to: 2)
            var quiet = settings
            quiet.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(0, TCSANOW, &quiet)
        }
        defer { if isTerminal { tcsetattr(0, TCSANOW, &settings) } }
        var lines: [String] = []
        while lines.count < count, let line = readLine() { lines.append(line) }
        guard lines.count == count else {
            throw HarbourError.usage("Standard input has to have \(count) line\(count == 1 ? "" : "s").")
        }
        return lines
    }
}
