internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The driver's contract on its router: decodes, asks the driver, encodes.
struct DriverRoutes: Sendable {
    let driver: Driver
    /// Ends the process, once the answer is on its way.
    let shutDown: @Sendable () -> Void

    func register(on router: ServiceRouter) {
        registerStatus(on: router)
        registerContexts(on: router)
        registerCommands(on: router)
        registerFiles(on: router)
        registerSecrets(on: router)
    }

    private func registerSecrets(on router: ServiceRouter) {
        let secrets = driver.secrets
        router.on(DriverAPI.streamWantedSecrets) { _, _, send in
            try await secrets.follow { try await send($0) }
        }
        router.onSync(DriverAPI.answerSecret) { input, _ in
            secrets.take(input.body)
            return Empty()
        }
    }

    private func registerFiles(on router: ServiceRouter) {
        let driver = driver
        router.onSync(DriverAPI.readCommandOverflow) { input, _ in
            try driver.overflow(of: input.commandID, in: input.contextID, at: input.offset ?? 0)
        }
        router.onSync(DriverAPI.listLibraries) { _, _ in DriverLibraries(libraries: driver.libraries.statuses) }
        router.onSync(DriverAPI.installLibraries) { input, _ in
            driver.libraries.add(input.body.libraries)
            return DriverLibraries(libraries: driver.libraries.statuses)
        }
        router.on(DriverAPI.streamSparkEvents) { input, _, send in
            try await driver.eventLog.read(after: input.after ?? 0, follow: input.follow ?? false) {
                try await send($0)
            }
        }
    }

    private func registerStatus(on router: ServiceRouter) {
        let driver = driver
        router.on(DriverAPI.getStatus) { _, _ in await driver.freshStatus() }
        router.on(DriverAPI.streamStatus) { _, _, send in
            try await driver.followStatus { try await send($0) }
        }
        router.onSync(DriverAPI.shutdown) { [shutDown] _, _ in
            shutDown()
            return Empty()
        }
        router.on(DriverAPI.streamLogs) { input, _, send in
            try await driver.logs.read(after: input.after ?? 0, follow: input.follow ?? false) { try await send($0) }
        }
    }

    private func registerContexts(on router: ServiceRouter) {
        let driver = driver
        router.onSync(DriverAPI.createContext) { input, _ in try driver.createContext(input.body) }
        router.onSync(DriverAPI.listContexts) { _, _ in ContextList(contexts: driver.listContexts()) }
        router.onSync(DriverAPI.getContext) { input, _ in try driver.context(input.contextID) }
        router.onSync(DriverAPI.deleteContext) { input, _ in
            try driver.deleteContext(input.contextID)
            return Empty()
        }
        router.on(DriverAPI.completeCode) { input, _ in try await driver.complete(input.body, in: input.contextID) }
        router.on(DriverAPI.inspectCode) { input, _ in try await driver.inspect(input.body, in: input.contextID) }
    }

    private func registerCommands(on router: ServiceRouter) {
        let driver = driver
        router.on(DriverAPI.executeCommand) { input, _ in try driver.execute(input.body, in: input.contextID) }
        router.onSync(DriverAPI.getCommand) { input, _ in try driver.command(input.commandID, in: input.contextID) }
        router.onSync(DriverAPI.cancelCommand) { input, _ in try driver.cancel(input.commandID, in: input.contextID) }
        router.on(DriverAPI.streamCommandEvents) { input, _, send in
            try await driver.follow(input.commandID, in: input.contextID, after: input.after ?? 0) { events in
                try await send.encoded(events)
            }
        }
        router.on(DriverAPI.runCommand) { input, _, send in
            try await driver.run(input.commandID, in: input.contextID, input.body) { events in
                try await send.encoded(events)
            }
        }
    }
}
