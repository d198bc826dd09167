internal import Core
internal import EventLoop
internal import WebClient

/// Asks a standalone master. Nothing is asked twice by itself.
struct Master: Sendable {
    /// How long one answer may take: a master under load is slow, and one that is gone refuses at once.
    static let patience = Duration.seconds(5)
    /// So many workers are asked for their version: it is looked at while a person waits.
    private static let asked = 32
    /// The largest answer: some thousand workers.
    private static let answerLimit = 16 << 20

    let address: MasterAddress
    private let web: WebClient

    init(_ address: MasterAddress, loop: EventLoop) throws(HarbourError) {
        self.address = address
        var configuration = WebClientConfiguration()
        // What workers and drivers reach directly, as Spark's own connections do, is not behind a proxy.
        configuration.proxy = .none
        configuration.connectTimeout = .seconds(2)
        web = try WebClient(loop: loop, configuration: configuration)
    }

    /// The active master's state.
    func look() async -> MasterView {
        var view: MasterView?
        for page in address.pages {
            do {
                let bytes = try await get("\(page)/json/")
                guard let state = MasterState(bytes) else {
                    view = view ?? .unreachable("\(page) answers, but is not a Spark master's page.")
                    continue
                }
                if state.isAlive { return .alive(state) }
                view = .inactive(status: state.status)
            } catch {
                view = view ?? .unreachable("\(page) does not answer: \(error.message)")
            }
        }
        return view ?? .unreachable("No page of the master is known.")
    }

    /// The Spark version of the master, from its submission server or, where that is off, from its page.
    func version() async -> String? {
        for server in address.submission {
            if let bytes = try? await get("\(server)/v1/submissions/status/none"),
                let version = (try? JSONValue(json: bytes))?["serverSparkVersion"]?.string
            {
                return version
            }
        }
        for page in address.pages {
            if let bytes = try? await get("\(page)/"), let version = Master.version(inPage: bytes) { return version }
        }
        return nil
    }

    /// The Spark versions of workers, by their pages, which are asked at once; one that does not say is left out.
    func versions(of workers: [MasterState.Worker]) async -> [String: String] {
        await withTaskGroup(of: (String, String?).self) { group in
            for worker in workers.prefix(Master.asked) where !worker.page.isEmpty {
                group.addTask {
                    let page = try? await get("\(worker.page)/")
                    return (worker.page, page.flatMap { Master.version(inPage: $0) })
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// The text of the element whose class begins with `version`.
    static func version(inPage bytes: [UInt8]) -> String? {
        let page = String(decoding: bytes.prefix(65_536), as: UTF8.self)
        for piece in page.split(separator: "class=\"version").dropFirst() {
            guard let open = piece.firstIndex(of: ">") else { continue }
            let text = piece[piece.index(after: open)...].prefix { $0 != "<" }.filter { !$0.isWhitespace }
            if text.first?.isNumber == true && text.count <= 64 { return text }
        }
        return nil
    }

    private func get(_ url: String) async throws(HarbourError) -> [UInt8] {
        var request = WebRequest(url: url)
        request.responseLimit = Master.answerLimit
        request.redirects = 2
        let response = try await web.send(request, deadline: .now + Master.patience)
        let bytes = try await response.collect(limit: Master.answerLimit)
        guard response.status == 200 else {
            throw HarbourError(.badGateway, "It answered with status \(response.status).")
        }
        return bytes
    }
}
