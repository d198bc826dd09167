internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// `harbour tokens`, `harbour permissions` and `harbour audit`.
enum TokenCommands {
    private static let owner = Flag.value("user", "USER", "Another user's; for administrators")

    static let tokens = Command(
        name: "tokens", summary: "Personal access tokens, to sign in with from programs.",
        subcommands: [
            Command(name: "list", summary: "List tokens.", flags: [owner], run: list),
            Command(
                name: "create", summary: "Make a token; it is printed this once.",
                flags: [
                    owner, .value("comment", "TEXT", "What it is for"),
                    .value("days", "N", "How long it is valid; for ever when absent"),
                    .toggle("access", "A short-lived access token (JWT) instead"),
                ], run: create),
            Command(
                name: "revoke", summary: "Revoke a token.", arguments: [Argument(name: "id", help: "the token's id")],
                run: revoke),
        ])

    private static let kind = Argument(
        name: "type", help: "directories, notebooks, files, clusters, jobs or secret-scopes")
    private static let object = Argument(name: "object", help: "its id; of the tree also its path; a scope's name")

    static let permissions = Command(
        name: "permissions", summary: "Who may do what with folders, notebooks, clusters, jobs and secret scopes.",
        subcommands: [
            Command(name: "show", summary: "Show the permissions.", arguments: [kind, object], run: showPermissions),
            Command(
                name: "give", summary: "Give a user or a group a permission.",
                arguments: [kind, object, Argument(name: "level", help: "such as CAN_READ; see levels")],
                flags: [.value("user", "USER", "To this user"), .value("group", "GROUP", "To this group")],
                run: givePermission),
            Command(
                name: "clear", summary: "Take all permissions away that were given on it.", arguments: [kind, object],
                run: clearPermissions),
            Command(name: "levels", summary: "List the levels.", arguments: [kind, object], run: levels),
        ])

    static let audit = Command(
        name: "audit", summary: "Show what was done and refused, newest first.",
        flags: [
            .value("user", "USER", "Only what this user did"), .value("action", "NAME", "Only this operation"),
            .toggle("refused", "Only what was refused or failed"), .value("count", "N", "How many at most"),
        ], run: listAudit)

    // MARK: Tokens

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(
            WorkspaceAPI.listTokens, .init(userName: invocation.value("user")))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["ID", "USER", "COMMENT", "MADE (UTC)", "ENDS (UTC)", "LAST USED (UTC)"],
            list.tokenInfos.map {
                [
                    $0.tokenID, $0.userName, $0.comment, Show.time($0.creationTime), Show.time($0.expiryTime),
                    Show.time($0.lastUsedTime),
                ]
            })
    }

    private static func create(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        if invocation.has("access") {
            let token = try await api.call(WorkspaceAPI.createAccessToken, .init(body: RequestAccessToken()))
            setting.terminal.answer(token)
            return setting.terminal.say(token.accessToken)
        }
        let days = try invocation.integer("days", in: 1...3650)
        let wish = CreateToken(
            comment: invocation.value("comment"), lifetimeSeconds: days.map { Int64($0) * 86_400 },
            userName: invocation.value("user"))
        let token = try await api.call(WorkspaceAPI.createToken, .init(body: wish))
        setting.terminal.answer(token)
        setting.terminal.say(token.tokenValue)
    }

    private static func revoke(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let body = RevokeToken(tokenID: invocation.word("id"))
        setting.terminal.answer(try await PublicAPI(setting).call(WorkspaceAPI.revokeToken, .init(body: body)))
        setting.terminal.say("The token \(body.tokenID) is revoked.")
    }

    // MARK: Permissions

    /// What the arguments name; a path is looked up.
    private static func target(_ invocation: Invocation, _ api: PublicAPI) async throws -> (type: String, id: String) {
        let (type, text) = (invocation.word("type"), invocation.word("object"))
        guard text.hasPrefix("/") else { return (type, text) }
        let object = try await api.call(WorkspaceAPI.getObject, .init(path: text))
        return (type, "\(object.objectID)")
    }

    private static func show(_ permissions: ObjectPermissions, _ terminal: Terminal) {
        terminal.answer(permissions)
        var rows: [[String]] = []
        for entry in permissions.accessControlList {
            let who = entry.userName ?? entry.groupName.map { "group \($0)" } ?? ""
            for given in entry.allPermissions {
                let source = given.inheritedFromObject?.first ?? ""
                rows.append([who, given.permissionLevel.rawValue, given.inherited ? "from \(source)" : ""])
            }
        }
        terminal.table(["WHO", "LEVEL", "INHERITED"], rows)
    }

    private static func showPermissions(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let (type, id) = try await target(invocation, api)
        show(try await api.call(WorkspaceAPI.getPermissions, .init(objectType: type, objectID: id)), setting.terminal)
    }

    private static func givePermission(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let (user, group) = (invocation.value("user"), invocation.value("group"))
        guard (user == nil) != (group == nil) else { throw HarbourError.usage("Say --user or --group.") }
        guard let level = PermissionLevel(rawValue: invocation.word("level").uppercased()) else {
            throw HarbourError.usage("There is no level \(invocation.word("level")). See harbour permissions levels.")
        }
        let (type, id) = try await target(invocation, api)
        let entry = AccessControl(userName: user, groupName: group, permissionLevel: level)
        show(
            try await api.call(
                WorkspaceAPI.updatePermissions,
                .init(objectType: type, objectID: id, body: ChangePermissions(accessControlList: [entry]))),
            setting.terminal)
    }

    private static func clearPermissions(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let (type, id) = try await target(invocation, api)
        show(
            try await api.call(
                WorkspaceAPI.setPermissions,
                .init(objectType: type, objectID: id, body: ChangePermissions(accessControlList: []))),
            setting.terminal)
    }

    private static func levels(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let (type, id) = try await target(invocation, api)
        let levels = try await api.call(WorkspaceAPI.getPermissionLevels, .init(objectType: type, objectID: id))
        setting.terminal.answer(levels)
        setting.terminal.table(
            ["LEVEL", "ALLOWS TO"], levels.permissionLevels.map { [$0.permissionLevel.rawValue, $0.description] })
    }

    // MARK: Audit

    private static func listAudit(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let count = try invocation.integer("count", in: 1...1000)
        let list = try await PublicAPI(setting).call(
            WorkspaceAPI.listAuditEvents,
            .init(
                pageSize: count ?? 100, userName: invocation.value("user"), action: invocation.value("action"),
                refusedOnly: invocation.has("refused")))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["WHEN (UTC)", "WHO", "ACTION", "TO WHAT", "STATUS", "FROM", "REQUEST"],
            list.events.map {
                [
                    Show.time($0.timestamp), $0.userName ?? "-", action($0), $0.object ?? "",
                    $0.errorCode ?? "\($0.status)", $0.source, $0.requestID,
                ]
            })
    }

    private static func action(_ event: AuditEvent) -> String {
        guard let count = event.count, count > 1 else { return event.action }
        return "\(event.action) (\(count) times)"
    }
}
