internal import Core
internal import EventLoop

/// Reads what a driver before this one has left: its contexts have ended, and their commands can be read.
struct Recovery {
    private let configuration: DriverConfiguration
    private let scratch: ScratchFolder
    private let loop: EventLoop
    private let logger = Logger("driver.recovery")

    init(_ configuration: DriverConfiguration, _ scratch: ScratchFolder, _ loop: EventLoop) {
        self.configuration = configuration
        self.scratch = scratch
        self.loop = loop
    }

    /// The contexts, oldest first. What cannot be read is left where it is and said in the log.
    func contexts() throws(HarbourError) -> [DriverContext] {
        // Connection files and sockets of dead kernels.
        for name in ScratchFolder.names(in: scratch.runtime) { ScratchFolder.remove("\(scratch.runtime)/\(name)") }
        var contexts: [DriverContext] = []
        for id in ScratchFolder.names(in: scratch.journals) where ScratchFolder.isName(id) {
            let folder = "\(scratch.journals)/\(id)"
            guard let json = ScratchFolder.contents(of: "\(folder)/\(ContextRecord.fileName)"),
                let record = try? ContextRecord(checkedJSON: json), record.id == id
            else {
                logger.warning("A context of an earlier driver cannot be read.", ["folder": folder])
                continue
            }
            contexts.append(context(record, folder))
        }
        return contexts.sorted { $0.created < $1.created }
    }

    private func context(_ record: ContextRecord, _ folder: String) -> DriverContext {
        let context = DriverContext(
            record, configuration: configuration, scratch: scratch, pool: nil, loop: loop
        ) { _, _ in }
        context.close(reason: "The cluster's driver was restarted, and its contexts ended. Make a new one.")
        for name in ScratchFolder.names(in: folder) where name.hasSuffix(".log") {
            do throws(HarbourError) {
                let command = try DriverCommand(
                    recovering: "\(folder)/\(name)",
                    limiter: OutputLimiter(configuration, scratch, record.id, String(name.dropLast(4))),
                    clusterID: configuration.clusterID, loop: loop)
                if let command { context.restore(command) }
            } catch {
                logger.warning(
                    "A command of an earlier driver cannot be read.",
                    ["file": "\(folder)/\(name)", "error": error.describeChain()])
            }
        }
        return context
    }
}
