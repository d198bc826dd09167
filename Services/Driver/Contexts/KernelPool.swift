internal import Core
internal import EventLoop
internal import Glibc
internal import JupyterKernel

/// Finds kernels for contexts. Python kernels of ours are started ahead, so that a context gets a warm one at once.
///
/// Used on the driver's loop only.
final class KernelPool: @unchecked Sendable {
    /// The name of our own Python kernel among the kernelspecs.
    static let ownName = "dataharbour"

    private let configuration: DriverConfiguration
    private let scratch: ScratchFolder
    private let loop: EventLoop
    private let changed: LoopSignal
    private let libraries: LibraryInstaller
    private var environment: [String: String]?
    private var failure: SparkFailure?
    private var spares: [JupyterKernel] = []
    private var startingSpares = 0
    private var renewals = 0
    /// Kernels, spare or not, whose process is being made.
    private var starting = 0
    /// Whoever has them: those whose process runs.
    private var alive: [ObjectIdentifier: JupyterKernel] = [:]
    private var isClosed = false
    private let logger = Logger("driver.kernels")

    init(_ configuration: DriverConfiguration, _ scratch: ScratchFolder, _ libraries: LibraryInstaller, loop: EventLoop)
    {
        self.configuration = configuration
        self.libraries = libraries
        self.scratch = scratch
        self.loop = loop
        changed = LoopSignal(loop)
    }

    /// Warm kernels that wait.
    var spareCount: Int { spares.count }

    /// Spark's host takes kernels: the spares are started, and get ready while Spark starts.
    func open(_ environment: [String: String]) {
        self.environment = environment
        changed.notify()
        refill()
    }

    /// There is no Spark and there will be none.
    func fail(_ failure: SparkFailure) {
        self.failure = failure
        changed.notify()
        for spare in spares { spare.kill() }
        spares = []
    }

    /// Ends all kernels, those of contexts too, and waits for their ends; nothing is started any more.
    func close() async {
        isClosed = true
        changed.notify()
        spares = []
        do {
            while !alive.isEmpty || starting > 0 {
                let version = changed.version
                for kernel in alive.values { kernel.kill() }
                if alive.isEmpty && starting == 0 { break }
                try await changed.wait(after: version)
            }
        } catch {
            logger.warning("Not all kernels had ended when the driver did.", ["kernels": alive.count])
        }
    }

    /// All kernels that can be asked for, by name.
    func installed() -> [String: KernelSpec] {
        let finder = KernelSpecFinder(
            python: configuration.python, environment: ProcessSpecification.Environment.ours)
        var specs = finder.all { [logger] problem in
            logger.warning("A kernel cannot be used.", ["error": problem.describeChain()])
        }
        specs[KernelPool.ownName] = ownSpec
        return specs
    }

    private var ownSpec: KernelSpec {
        KernelSpec(
            name: KernelPool.ownName, displayName: "Python", language: "python",
            arguments: [configuration.python, "-m", "harbour_runtime.kernel", "-f", "{connection_file}"])
    }

    /// A kernel of ours that belongs to nobody yet: a warm one if there is one.
    /// - Throws: `SPARK_UNAVAILABLE`, and as `JupyterKernel.launch`.
    func takeOwn() async throws -> JupyterKernel {
        while true {
            let version = changed.version
            guard environment == nil, failure == nil, !isClosed else { break }
            try await changed.wait(after: version)
        }
        try await libraries.settled()
        if let failure { throw HarbourError(.sparkUnavailable, failure.message, detail: failure.detail) }
        if let index = spares.firstIndex(where: \.isAlive) { return spares.remove(at: index) }
        return try await launch(ownSpec)
    }

    /// A new kernel of an installed specification.
    /// - Throws: as `JupyterKernel.launch`.
    func launch(_ spec: KernelSpec) async throws -> JupyterKernel {
        guard !isClosed else { throw HarbourError(.unavailable, "The cluster is ending.") }
        var kernel = JupyterKernel.Configuration(spec: spec, runtimeFolder: scratch.runtime)
        kernel.python = configuration.python
        kernel.environment = .only(
            ChildEnvironment.base(configuration).merging(environment ?? [:]) { $1 })
        kernel.directory = scratch.path
        kernel.log = "\(scratch.logs)/kernel-\(Identifier.make()).log"
        kernel.startTimeout = configuration.kernelStartTimeout
        starting += 1
        defer {
            starting -= 1
            changed.notify()
        }
        let launched = try await JupyterKernel.launch(kernel, loop: loop)
        alive[ObjectIdentifier(launched)] = launched
        loop.spawn { [self] in
            await launched.ended()
            alive[ObjectIdentifier(launched)] = nil
            changed.notify()
        }
        return launched
    }

    /// Replaces the spares: they have looked around before the newest library was there.
    func renew() {
        renewals += 1
        let old = spares
        spares = []
        for spare in old { spare.kill() }
        refill()
    }

    /// Starts as many spares as there should be.
    func refill() {
        guard environment != nil, failure == nil, !isClosed else { return }
        while spares.count + startingSpares < configuration.spareKernels {
            startingSpares += 1
            loop.spawn { [self] in
                let before = renewals
                defer {
                    startingSpares -= 1
                    // What was installed meanwhile it may not have seen.
                    if renewals != before { refill() }
                }
                do {
                    let spare = try await launch(ownSpec)
                    guard !isClosed, failure == nil, renewals == before else { return spare.kill() }
                    spares.append(spare)
                    spare.onDeath = { [weak self, weak spare] _ in self?.spares.removeAll { $0 === spare } }
                } catch {
                    logger.error("A spare kernel could not be started.", ["error": HarbourError.describe(error)])
                }
            }
        }
    }
}

extension ErrorCode {
    /// The cluster has no Spark: it did not start, or it has died.
    static let sparkUnavailable = ErrorCode("SPARK_UNAVAILABLE", status: 503)
}
