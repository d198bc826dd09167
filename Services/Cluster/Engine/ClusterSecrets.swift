internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients
internal import ServiceKit

// What commands read by `dbutils.secrets`: the driver asks, and the workspace is asked as the user who gave the command.
// Who that is stands in the row of the command, and is not taken from the driver: users' code runs beside it.
extension ClusterController {
    /// For how long the workspace is asked again where it is away. The driver gives up a little later.
    private static let patience = Duration.seconds(50)
    /// What one driver may have this service do; the others wait in the stream.
    private static let questionsAtATime = 64

    /// Answers the driver's questions until the task is cancelled.
    func answerAboutSecrets(_ link: DriverLink) async {
        var pause = Pause()
        while !Task.isCancelled {
            do {
                let questions = try await link.client.stream(DriverAPI.streamWantedSecrets, .init())
                try await withThrowingTaskGroup(of: Void.self) { group in
                    var open = 0
                    for try await wanted in questions {
                        pause = Pause()
                        if open == ClusterController.questionsAtATime {
                            try await group.next()
                            open -= 1
                        }
                        open += 1
                        group.addTask { [self] in await answer(wanted, link) }
                    }
                    try await group.waitForAll()
                }
            } catch {
                if Task.isCancelled { return }
                // A driver that was made before there were such questions has none.
                if HarbourError.wrap(error).code.status == 404 { return }
            }
            guard (try? await pause.wait(on: context.loop)) != nil else { return }
        }
    }

    private func answer(_ wanted: WantedSecret, _ link: DriverLink) async {
        var answer = SecretAnswer(questionID: wanted.questionID)
        let end = MonotonicTime.now + ClusterController.patience
        var pause = Pause()
        while true {
            do {
                try await fill(&answer, wanted)
            } catch {
                let error = HarbourError.wrap(error)
                let isAway = error.code.status == 502 || error.code.status == 503
                if isAway, .now < end, (try? await pause.wait(on: context.loop)) != nil { continue }
                answer.error = CommandError(code: error.code.name, name: "SecretError", message: error.message)
            }
            break
        }
        if Task.isCancelled { return }
        do {
            _ = try await link.client.call(DriverAPI.answerSecret, .init(body: answer), context: .within(.seconds(10)))
        } catch {
            // It is asked again where the stream of questions breaks too; else the command says that nobody answered.
            logger.warning("a question about secrets was not answered", ["error": HarbourError.describe(error)])
        }
    }

    private func fill(_ answer: inout SecretAnswer, _ wanted: WantedSecret) async throws {
        guard let workspace = context.workspace else {
            throw HarbourError(.invalidState, "Secrets cannot be read: HARBOUR_CLUSTER_WORKSPACE_URL is not set.")
        }
        // What has ended asks nothing more: else whoever got hold of a driver could ask as all who ever ran something on it.
        guard let command = try await known(wanted.contextID, wanted.commandID), !command.ended else {
            throw HarbourError(.permissionDenied, "Secrets are read for a command that runs, and this one does not.")
        }
        guard let user = command.user, user != RequestContext.system else {
            throw HarbourError(
                .permissionDenied,
                "Secrets are read for the user who runs a command, and for this one none is known. Run it again.")
        }
        let scope = wanted.scope ?? ""
        switch wanted.operation {
        case .get:
            let reference = SecretReference(scope: scope, key: wanted.key ?? "")
            answer.value = try await workspace.secrets([reference], for: user)[reference]
        case .list: answer.names = try await workspace.keys(of: scope, for: user)
        case .listScopes: answer.names = try await workspace.scopes(for: user)
        }
    }
}
