internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// `harbour doctor`: whether clusters could be started now, and what to do where not.
enum DoctorCommand {
    static let command = Command(
        name: "doctor", summary: "Look whether clusters can be started: Java, Python, memory, ports, engines.", run: run
    )

    private static func run(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(ClusterAPI.listBackends, .init())
        setting.terminal.answer(list)
        for backend in list.backends {
            setting.terminal.say("\(backend.name): \(backend.available ? "ready" : "not ready")")
            setting.terminal.say("  can do: \((backend.capabilities ?? []).joined(separator: ", "))")
            for check in backend.checks ?? [] {
                setting.terminal.say("  \(check.passed ? "ok  " : "FAIL") \(check.name): \(check.message)")
            }
        }
        // One place is enough to work with.
        guard list.backends.contains(where: \.available) else {
            throw HarbourError(
                ErrorCode("NO_BACKEND_READY", status: 503), "No backend can take a cluster. See what failed above.")
        }
    }
}
