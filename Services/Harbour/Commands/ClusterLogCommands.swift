internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// What a cluster has written: its logs and the output beyond a command's limit.
enum ClusterLogCommands {
    private static let cluster = Argument(name: "cluster", help: "the id of the cluster, or its name")

    static let all = [
        Command(
            name: "logs", summary: "Show the logs of a cluster, also after its end.", arguments: [cluster],
            flags: [
                .toggle("follow", "Go on with what comes"),
                .value("grep", "TEXT", "Only lines with this text, whatever its case"),
                .value(
                    "level", "LEVEL", "Only lines of this level and graver",
                    choices: ["ERROR", "WARN", "INFO", "DEBUG"]),
                .value("source", "NAME", "Only lines of driver, spark, worker-0, ..."),
                .value("start", "N", "Which start of the cluster, from 1; the newest when absent"),
                .toggle("starts", "List the starts of which logs are kept"),
            ], run: logs),
        Command(
            name: "output", summary: "Write the output beyond a command's limit to standard output.",
            arguments: [
                cluster, Argument(name: "context", help: "the id of the context"),
                Argument(name: "command", help: "the id of the command"),
            ], run: output),
    ]

    private static func logs(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        if invocation.has("starts") {
            let list = try await api.call(ClusterAPI.listClusterLogs, .init(clusterID: id))
            setting.terminal.answer(list)
            setting.terminal.table(
                ["START", "FROM (UTC)", "TO (UTC)", "LINES", "BYTES"],
                list.starts.map {
                    ["\($0.start)", Show.time($0.firstTime), Show.time($0.lastTime), "\($0.lines)", "\($0.bytes)"]
                })
            return
        }
        let lines = try await api.client.stream(
            ClusterAPI.streamClusterLogs,
            .init(
                clusterID: id, follow: invocation.has("follow"),
                start: try invocation.integer("start", in: 1...Int(Int32.max)).map { Int64($0) },
                contains: invocation.value("grep"), level: invocation.value("level"),
                source: invocation.value("source")), context: CallContext(),
            opening: .zero)
        for try await line in lines {
            setting.terminal.answer(line)
            setting.terminal.say("\(Show.time(line.timestamp)) \(line.source): \(line.text)")
        }
    }

    private static func output(_ invocation: Invocation) async throws {
        let api = try PublicAPI(Setting(invocation))
        let id = try await api.clusterID(invocation.word("cluster"))
        var next: Int64? = 0
        while let offset = next {
            let piece = try await api.call(
                ClusterAPI.readCommandOverflow,
                .init(
                    clusterID: id, contextID: invocation.word("context"),
                    commandID: invocation.word("command"), offset: offset))
            Terminal.write(piece.text, to: 1)
            next = piece.nextOffset
        }
    }
}
