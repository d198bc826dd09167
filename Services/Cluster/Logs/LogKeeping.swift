internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Origins of lines: as the backend sees the processes, and as the driver tells.
private let fromPlace = "place"
private let fromDriver = "driver"

// How a controller fills the log of the present start.
extension ClusterController {
    /// Writes down what the cluster's processes say, until the task is cancelled.
    func keepLogs(_ handle: ClusterHandle, _ link: DriverLink) async {
        guard let log = await context.logs.log(.logs, of: id, start: link.generation) else { return }
        await withTaskGroup(of: Void.self) { group in
            if backend.capabilities.has(.logs) {
                group.addTask { [self] in
                    await keep { try await keepPlaceLines(handle, log, follow: true) }
                }
            }
            group.addTask { [self] in
                await keep {
                    let after = await log.position(of: fromDriver)
                    let lines = try await link.client.stream(
                        DriverAPI.streamLogs, .init(after: after, follow: true), context: CallContext())
                    for try await line in lines { await log.append(line, from: fromDriver) }
                }
            }
            group.addTask { [self] in await keepEvents(link) }
        }
    }

    private func keepPlaceLines(_ handle: ClusterHandle, _ log: KeptLog, follow: Bool) async throws {
        let after = await log.position(of: fromPlace)
        try await backend.logs(of: handle, after: after, follow: follow) { line in
            await log.append(
                LogLine(sequence: line.sequence, timestamp: line.timestamp, source: line.source, text: line.text),
                from: fromPlace)
        }
    }

    /// Spark's events, once there are some.
    private func keepEvents(_ link: DriverLink) async {
        for await _ in changes() where record.step == .running { break }
        guard record.step == .running, let log = await context.logs.log(.events, of: id, start: link.generation) else {
            return
        }
        await keep {
            let after = await log.position(of: fromDriver)
            let lines = try await link.client.stream(
                DriverAPI.streamSparkEvents, .init(after: after, follow: true), context: CallContext())
            for try await line in lines { await log.append(line, from: fromDriver) }
        }
        await log.finish()
    }

    /// Again and again until cancelled, or until the other side says that there is nothing.
    private func keep(_ body: () async throws -> Void) async {
        var pause = Pause(from: .milliseconds(100), to: .seconds(30))
        while !Task.isCancelled {
            do {
                try await body()
            } catch {
                let error = HarbourError.wrap(error)
                if Task.isCancelled || error.code.status == 404 || error.code == .unsupported { return }
                logger.debug("a log cannot be followed", ["error": error.describeChain()])
            }
            guard (try? await pause.wait(on: context.loop)) != nil else { return }
        }
    }

    /// The last lines, before the place forgets them.
    func finishLogs() async {
        guard let log = await context.logs.log(.logs, of: id, start: record.generation) else { return }
        if let handle = record.handle, backend.capabilities.has(.logs) {
            let reading = context.loop.spawn { [self] in
                do { try await keepPlaceLines(handle, log, follow: false) } catch {
                    logger.debug("the end of a log cannot be read", ["error": HarbourError.describe(error)])
                }
            }
            // A place that does not answer must not keep the cluster from being ended.
            let timer = context.loop.schedule(after: .seconds(3)) { reading.cancel() }
            await reading.value
            timer.cancel()
        }
        await log.finish()
    }
}
