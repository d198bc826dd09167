internal import Core
internal import EventLoop
internal import Glibc

/// The programs of a one-machine platform and how they find each other.
struct Platform: Sendable {
    let layout: PlatformLayout
    /// Where our executables are.
    let binaries: String
    /// Where SQL migrations and other files of the project are.
    let resources: String
    /// The port of the front door; the services follow it.
    let basePort: Int

    var workspaceURL: String { "http://127.0.0.1:\(basePort)" }

    private func url(_ offset: Int) -> String { "http://127.0.0.1:\(basePort + offset)" }

    /// Everything that has to run, in the order of starting.
    func programs(loop: EventLoop) throws(HarbourError) -> [ProgramDefinition] {
        var programs: [ProgramDefinition] = []
        var databaseURL = Setting.variable("HARBOUR_DATABASE_URL") ?? Setting.variable("DATABASE_URL")
        if databaseURL == nil {
            let postgres = try PostgresProgram(layout: layout)
            programs.append(postgres.definition(loop: loop))
            databaseURL = postgres.databaseURL
        }
        let needs = programs.map(\.name)
        programs.append(service("cluster", 2, databaseURL ?? "", after: needs, clusterVariables))
        programs.append(
            service(
                "scheduler", 1, databaseURL ?? "", after: needs,
                [
                    "HARBOUR_SCHEDULER_CLUSTER_URL": url(2), "HARBOUR_SCHEDULER_WORKSPACE_URL": url(0),
                    "HARBOUR_SCHEDULER_FILE_ROOTS": layout.files,
                ]))
        programs.append(service("workspace", 0, databaseURL ?? "", after: needs, workspaceVariables))
        programs.append(
            service(
                "monitoring", 3, databaseURL ?? "", after: needs,
                [
                    "HARBOUR_MONITORING_WORKSPACE_URL": url(0), "HARBOUR_MONITORING_SCHEDULER_URL": url(1),
                    "HARBOUR_MONITORING_CLUSTER_URL": url(2),
                ]))
        return programs
    }

    private var workspaceVariables: [String: String] {
        var variables = [
            "HARBOUR_WORKSPACE_SCHEDULER_URL": url(1), "HARBOUR_WORKSPACE_CLUSTER_URL": url(2),
            "HARBOUR_WORKSPACE_MONITORING_URL": url(3), "HARBOUR_ADMIN_TOKEN_FILE": layout.adminToken,
            "HARBOUR_WORKSPACE_SECRET_KEY_FILE": layout.secretKey,
        ]
        // Programs that were built by hand have no page beside them; the API works without it.
        let page = "\(resources)/page"
        if access("\(page)/index.html", R_OK) == 0 { variables["HARBOUR_WORKSPACE_PAGE_FOLDER"] = page }
        return variables
    }

    private var clusterVariables: [String: String] {
        [
            "HARBOUR_CLUSTER_DRIVER": "\(binaries)/driver", "HARBOUR_CLUSTER_FOLDER": layout.clusters,
            "HARBOUR_CLUSTER_WORKSPACE_URL": url(0),
        ]
    }

    private func service(
        _ name: String, _ offset: Int, _ databaseURL: String, after: [String], _ own: [String: String]
    ) -> ProgramDefinition {
        var variables = own
        variables["HARBOUR_\(name.uppercased())_LISTEN"] = "127.0.0.1:\(basePort + offset)"
        variables["HARBOUR_SERVICE_TOKEN_FILE"] = layout.serviceToken
        variables["HARBOUR_DATABASE_URL"] = databaseURL
        variables["HARBOUR_DATA"] = layout.root
        variables["HARBOUR_SCHEMA_FOLDER"] = "\(resources)/sql"
        // What the user has set wins over what we would choose, but for the data folder, which --data may have set.
        for name in variables.keys where name != "HARBOUR_DATA" && Setting.variable(name) != nil {
            variables[name] = nil
        }
        var specification = ProcessSpecification("\(binaries)/\(name)")
        specification.environment = .inherited(adding: variables)
        specification.directory = layout.root
        specification.output = .file(layout.log(name))
        specification.errors = .sameAsOutput
        specification.parentDeathSignal = SIGTERM
        // Drivers have sessions of their own and outlive a restart of the service that started them.
        return ProgramDefinition(name: name, specification: specification, after: after, stopSignal: SIGTERM)
    }
}
