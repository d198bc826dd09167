internal import Core
internal import EventLoop
internal import Glibc
internal import HarbourProtocol

/// Installs libraries for this cluster alone, one after the other, into its overlay of the shared environment.
///
/// Used on the driver's loop only.
final class LibraryInstaller: @unchecked Sendable {
    /// What it needs from the driver.
    struct Hands: Sendable {
        /// Has Spark take a jar, once it runs; the answer is why not.
        var addJar: @Sendable (String) async -> String?
        /// Kernels that were started before do not see everything that is new.
        var installed: @Sendable () -> Void
    }

    private static let messageLines = 6
    private let configuration: DriverConfiguration
    private let scratch: ScratchFolder
    private let logs: LogBook
    private let loop: EventLoop
    private let changed: LoopSignal
    private let logger = Logger("driver.libraries")
    private var hands: Hands?
    private var working = false
    private var isClosed = false
    private(set) var statuses: [LibraryFullStatus] = []

    init(_ configuration: DriverConfiguration, _ scratch: ScratchFolder, logs: LogBook, loop: EventLoop) {
        self.configuration = configuration
        self.scratch = scratch
        self.logs = logs
        self.loop = loop
        changed = LoopSignal(loop)
    }

    /// Begins with what the cluster was made with. Kernels may be made from now on.
    func start(_ hands: Hands) {
        self.hands = hands
        add(configuration.start.libraries)
    }

    func close() {
        isClosed = true
        changed.notify()
    }

    /// Queues libraries; those that are known already stay as they are, but for failed ones, which are tried again.
    func add(_ libraries: [Library]) {
        for library in libraries {
            if let index = statuses.firstIndex(where: { $0.library == library }) {
                if statuses[index].status != .failed { continue }
                statuses.remove(at: index)
            }
            statuses.append(LibraryFullStatus(library: library, status: .pending))
        }
        guard !working, hands != nil else { return }
        working = true
        loop.spawn { [self] in await work() }
    }

    /// Returns when nothing waits and nothing is being installed.
    func settled() async throws {
        while !isClosed {
            let version = changed.version
            guard statuses.contains(where: { $0.status == .pending || $0.status == .installing }) else { return }
            try await changed.wait(after: version)
        }
    }

    private func work() async {
        defer {
            working = false
            changed.notify()
        }
        while !isClosed, let index = statuses.firstIndex(where: { $0.status == .pending }) {
            let library = statuses[index].library
            statuses[index].status = .installing
            let problem = await install(library)
            guard let now = statuses.firstIndex(where: { $0.library == library }) else { continue }
            statuses[now].status = problem == nil ? .installed : .failed
            statuses[now].messages = problem
            if problem == nil {
                hands?.installed()
            } else {
                logger.warning("A library was not installed.", ["library": LibraryInstaller.name(library)])
            }
            changed.notify()
        }
    }

    private func install(_ library: Library) async -> [String]? {
        if let jar = library.jar { return await installJar(jar) }
        var arguments = ["pip", "install"]
        if let package = library.pypi {
            if let index = package.repo { arguments += ["--index-url", index] }
            arguments += ["--", package.package]
        } else if let wheel = library.whl {
            arguments += ["--", wheel]
        } else if let file = library.requirements {
            arguments += ["--requirement", file]
        } else {
            return ["It names neither pypi, whl, jar nor requirements."]
        }
        return await run(arguments, LibraryInstaller.name(library))
    }

    private func installJar(_ jar: String) async -> [String]? {
        var path = jar
        if jar.contains("://") && !jar.hasPrefix("file://") {
            path = "\(scratch.path)/jars/\(statuses.count)-\(jar.split(separator: "/").last ?? "library.jar")"
            if let problem = await run(["fetch", jar, path], jar) { return problem }
        } else if jar.hasPrefix("file://") {
            path = String(jar.dropFirst("file://".count))
        }
        guard access(path, R_OK) == 0 else { return ["There is no file \(path) on the driver's machine."] }
        return await hands?.addJar(path).map { [$0] }
    }

    /// Runs the installer of the clusters' Python; the answer is why it failed.
    private func run(_ arguments: [String], _ name: String) async -> [String]? {
        var variables = ChildEnvironment.base(configuration)
        variables["HARBOUR_OVERLAY"] = "\(scratch.path)/overlay"
        let process = SetupProcess(loop: loop, limit: configuration.libraryTimeout) { [logs] line in
            logs.add(source: "library", "\(name): \(line)")
        }
        do {
            let outcome = try await process.run(
                configuration.python, ["-m", "harbour_runtime.overlay"] + arguments, variables, in: scratch.path)
            if outcome.isSuccess { return nil }
            if outcome.isLate { return ["It took longer than \(configuration.libraryTimeout.milliseconds / 1000) s."] }
            let errors = outcome.lines.filter { $0.hasPrefix("ERROR") }
            return (errors.isEmpty ? outcome.lines : errors).suffix(LibraryInstaller.messageLines)
                .map { configuration.redactor($0) }
        } catch {
            return ["The installer could not be started: \(HarbourError.wrap(error).message)"]
        }
    }

    private static func name(_ library: Library) -> String {
        library.pypi?.package ?? library.whl ?? library.jar ?? library.requirements ?? ""
    }
}
