internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// `harbour clusters libraries`.
enum LibraryCommands {
    static let command = Command(
        name: "libraries", summary: "Show the libraries of a cluster, or add some.",
        arguments: [Argument(name: "cluster", help: "the id of the cluster, or its name")],
        flags: [
            .value("pypi", "PACKAGE", "Add a package, such as simplejson==3.19.2"),
            .value("whl", "FILE", "Add a wheel: a file of the driver's machine, or a URL"),
            .value("jar", "FILE", "Add a jar"), .value("requirements", "FILE", "Add a file of requirements"),
            .toggle("remove", "Take away what is named, from the next start on, instead of adding it"),
        ], run: run)

    private static func run(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        var libraries: [Library] = []
        if let package = invocation.value("pypi") { libraries.append(Library(pypi: PyPILibrary(package: package))) }
        if let file = invocation.value("whl") { libraries.append(Library(whl: file)) }
        if let file = invocation.value("jar") { libraries.append(Library(jar: file)) }
        if let file = invocation.value("requirements") { libraries.append(Library(requirements: file)) }
        if !libraries.isEmpty {
            let body = ClusterLibraries(clusterID: id, libraries: libraries)
            if invocation.has("remove") {
                _ = try await api.call(ClusterAPI.uninstallLibraries, .init(body: body))
            } else {
                _ = try await api.call(ClusterAPI.installLibraries, .init(body: body))
            }
        }
        let list = try await api.call(ClusterAPI.listLibraryStatuses, .init(clusterID: id))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["LIBRARY", "STATUS", "MESSAGE"],
            list.libraryStatuses.map { status in
                let library = status.library
                let name = library.pypi?.package ?? library.whl ?? library.jar ?? library.requirements ?? ""
                return [name, status.status.rawValue, status.messages?.last ?? ""]
            })
    }
}
