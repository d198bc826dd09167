import Core
import EventLoop
import HTTPMessage
import TestSupport
import WebClient

/// Python's server, running for one test.
final class Peer: Sendable {
    let address: String
    private let process: ChildProcess

    init(_ arguments: [String] = [], loop: EventLoop) async throws {
        let folder = #filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
        var specification = ProcessSpecification("/usr/bin/python3", ["\(folder)/peer.py"] + arguments)
        specification.output = .pipe
        specification.input = .pipe
        process = try await ChildProcess.start(specification, loop: loop)
        guard let line = try await process.output?.readLine() else {
            throw HarbourError(.unavailable, "The test's server did not start.")
        }
        address = line
    }

    /// Waits until a handler says that it has a request and does not answer.
    func isWaiting() async throws -> Bool { try await process.output?.readLine() == "waiting" }

    /// Lets a handler go on that waits for it.
    func goOn() async throws { try await process.input?.write(Array("\n".utf8)) }

    func stop() async throws {
        process.kill()
        _ = try await process.wait()
    }

    func url(_ path: String, scheme: String = "http", host: String = "127.0.0.1") -> String {
        "\(scheme)://\(host):\(address)\(path)"
    }
}

/// Runs the body with Python's server and a client on an event loop.
func withPeer(
    _ arguments: [String] = [], configuration: WebClientConfiguration = direct(),
    _ body: @escaping @Sendable (Peer, WebClient, EventLoop) async throws -> Void
) async throws {
    try await withEventLoop { loop in
        let peer = try await Peer(arguments, loop: loop)
        let client = try WebClient(loop: loop, configuration: configuration)
        do { try await body(peer, client, loop) } catch {
            try await peer.stop()
            throw error
        }
        try await peer.stop()
    }
}

/// Past any proxy that the machine running the tests has.
func direct(_ change: (inout WebClientConfiguration) -> Void = { _ in }) -> WebClientConfiguration {
    var configuration = WebClientConfiguration()
    configuration.proxy = .none
    change(&configuration)
    return configuration
}

/// The code of the error that the body throws, or nil.
func code(_ body: () async throws -> Void) async -> ErrorCode? {
    do {
        try await body()
        return nil
    } catch { return (error as? HarbourError)?.code }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func fetch(_ client: WebClient, _ request: WebRequest) async throws -> [UInt8] {
    try await client.send(request).collect()
}
