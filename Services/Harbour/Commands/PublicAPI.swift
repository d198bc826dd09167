internal import Core
internal import EventLoop
internal import HTTPClient
internal import HarbourProtocol
internal import ServiceClients

/// The public API of a platform, this machine's or another's.
struct PublicAPI: Sendable {
    let client: ServiceClient
    let loop: EventLoop

    /// `--url` or `HARBOUR_URL`, else this machine's front door; `HARBOUR_TOKEN`, else the token of the data folder.
    init(_ setting: Setting) throws(HarbourError) {
        loop = try PlatformCommands.currentLoop()
        let url = setting.invocation.value("url") ?? Setting.variable("HARBOUR_URL")
        let local = "http://127.0.0.1:\(try setting.basePort())"
        let token: String
        if let text = Setting.variable("HARBOUR_TOKEN") {
            token = text
        } else if let text = PlatformLayout.read(try setting.layout().adminToken) {
            token = text
        } else {
            throw HarbourError(
                .unauthenticated,
                "There is no token to sign in with. Start the platform with harbour up, or set HARBOUR_TOKEN.")
        }
        client = try ServiceClient(
            http: HTTPClient(loop: loop), baseURL: url ?? local, token: token, service: "workspace")
    }

    func call<Input, Output>(_ endpoint: Endpoint<Input, Output>, _ input: Input) async throws -> Output {
        try await client.call(endpoint, input, context: .within(.seconds(60)))
    }
}

extension Invocation {
    /// `--parameter NAME=VALUE`, as often as wanted.
    func parameters() throws(HarbourError) -> [String: String]? {
        var parameters: [String: String] = [:]
        for text in all("parameter") {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw .usage("--parameter takes NAME=VALUE, not \(text).")
            }
            parameters[parts[0]] = parts[1]
        }
        return parameters.isEmpty ? nil : parameters
    }

    /// A word that has to be a number, such as the id of a job.
    func number(_ name: String) throws(HarbourError) -> Int64 {
        guard let number = Int64(word(name)), number > 0 else {
            throw .usage("\(name.uppercased()) has to be a number, not \(word(name)).")
        }
        return number
    }
}

/// Times as tables show them.
enum Show {
    static func time(_ time: Timestamp?) -> String {
        guard let time else { return "-" }
        return String(ISO8601.format(time).prefix(19)).replacing("T", with: " ")
    }

    static func span(_ start: Timestamp?, _ end: Timestamp?) -> String {
        guard let start else { return "-" }
        return Terminal.duration(milliseconds: ((end ?? .now) - start).milliseconds)
    }

    static func state(_ state: RunState) -> String {
        state.resultState?.rawValue ?? state.lifeCycleState.rawValue
    }
}

extension String {
    fileprivate func replacing(_ old: Character, with new: Character) -> String {
        String(map { $0 == old ? new : $0 })
    }
}
