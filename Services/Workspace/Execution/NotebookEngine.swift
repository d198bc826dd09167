internal import Core
internal import EventLoop
internal import Postgres

/// The part of the workspace that acts for notebooks: it claims those with work, renews its leases, and takes over what
/// other processes have left.
///
/// Everything is woken by something: a notification of the database, or a timer that is set for a known moment. With
/// nothing to do it does not wake at all.
actor NotebookEngine {
    /// How many notebooks one process acts for at a time.
    private static let maxActive = 500

    private let context: ExecutionContext
    private let claims: ExecutionClaims
    private var runners: [Int64: NotebookRunner] = [:]
    private var listening: Task<Void, Never>?
    private var isClaiming = false
    private var isAskedAgain = false
    private var isStopped = false
    private var renewal: LoopTimer?
    private var takeover: LoopTimer?

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - owner: the name of this process, the same after a restart.
    ///   - lease: how long a claim holds without being renewed.
    init(context: ExecutionContext, owner: String, lease: Duration) {
        self.context = context
        claims = ExecutionClaims(pool: context.pool, owner: owner, lease: lease)
    }

    /// Takes up what an earlier process of this name has left, and begins.
    func start() async throws {
        try await claims.releaseLeftovers()
        listening = context.loop.spawn { [self] in await listen() }
        claim()
    }

    /// Leaves everything that runs to whoever comes next, at once.
    func stop() async {
        isStopped = true
        listening?.cancel()
        renewal?.cancel()
        takeover?.cancel()
        for runner in runners.values { await runner.abandon() }
        do { try await claims.releaseLeftovers() } catch {
            // The leases run out by themselves.
            context.logger.warning(
                "the leases of notebooks could not be released", ["error": HarbourError.describe(error)])
        }
    }

    private func listen() async {
        for await notification in context.pool.listen(ExecutionStore.channel) {
            if case .message(_, let payload) = notification, let runner = runners[Int64(payload) ?? 0] {
                await runner.look()
            } else if case .reconnected = notification {
                for runner in runners.values { await runner.look() }
            }
            claim()
        }
    }

    // MARK: Claiming

    private func claim() {
        guard !isStopped else { return }
        guard !isClaiming else {
            isAskedAgain = true
            return
        }
        isClaiming = true
        context.loop.spawn { [self] in await claimAll() }
    }

    private func claimAll() async {
        repeat {
            isAskedAgain = false
            do {
                let found = try await context.persistently("claiming notebooks") { [claims, runners] in
                    try await claims.claim(limit: NotebookEngine.maxActive - runners.count)
                }
                for claim in found { await begin(claim) }
                let ours = Array(runners.keys)
                armTakeover(try await claims.nextExpiry(besides: ours))
            } catch {
                context.logger.warning(
                    "notebooks could not be claimed", ["error": HarbourError.describe(error)])
                armTakeover(claims.lease)
            }
        } while isAskedAgain && !isStopped
        isClaiming = false
    }

    private func begin(_ claim: ExecutionClaims.Claim) async {
        // The lease of our own runner had run out: it has been taken from it by this claim.
        await runners[claim.notebookID]?.abandon()
        guard !isStopped else { return }
        let runner = NotebookRunner(context: context, claim: claim) { [weak self] claim in self?.ended(claim) }
        runners[claim.notebookID] = runner
        armRenewal()
        context.loop.spawn { await runner.look() }
    }

    private nonisolated func ended(_ claim: ExecutionClaims.Claim) {
        context.loop.onLoop { [self] in
            assumeIsolated { engine in
                if engine.runners[claim.notebookID]?.claim == claim { engine.runners[claim.notebookID] = nil }
                engine.claim()
            }
        }
    }

    // MARK: Leases

    private func armRenewal() {
        guard renewal == nil, !isStopped, !runners.isEmpty else { return }
        renewal = context.loop.schedule(after: claims.lease / 3) { [self] in
            assumeIsolated { engine in
                engine.renewal = nil
                engine.context.loop.spawn { await engine.renew() }
            }
        }
    }

    private func renew() async {
        let held = runners.values.map(\.claim)
        do {
            let ours = try await claims.renew(held)
            // One that has given its notebook back while this was asked has left already.
            for claim in held where !ours.contains(claim) {
                if let runner = runners[claim.notebookID], runner.claim == claim { await runner.abandon() }
            }
        } catch {
            context.logger.warning("leases could not be renewed", ["error": HarbourError.describe(error)])
        }
        armRenewal()
    }

    private func armTakeover(_ expiry: Duration?) {
        takeover?.cancel()
        takeover = nil
        guard let expiry, !isStopped else { return }
        takeover = context.loop.schedule(after: expiry + .milliseconds(50)) { [self] in
            assumeIsolated { $0.claim() }
        }
    }
}
