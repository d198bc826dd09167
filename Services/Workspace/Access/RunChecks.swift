internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// Says of runs that are about to begin whether the users that they act for may still do what the runs do, by the same
/// rules by which the front door lets users make jobs.
struct RunChecks: Sendable {
    let gate: AccessGate

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.checkRuns) { [gate] input, _ in
            var check = RunCheck(gate: gate)
            var verdicts: [RunVerdict] = []
            for run in input.body.runs { verdicts.append(await check.verdict(run)) }
            return RunVerdictList(verdicts: verdicts)
        }
    }
}

/// One list of runs that is looked at: what many of them ask is found out once.
private struct RunCheck {
    private struct Question: Hashable {
        var userName: String
        var object: Securable
    }

    let gate: AccessGate
    private var principals: [String: Result<Principal?, HarbourError>] = [:]
    private var answers: [Question: Result<Void, HarbourError>] = [:]
    /// Why clusters or jobs cannot be looked up now: the next one is not waited for as long again.
    private var clustersAway: HarbourError?
    private var jobsAway: HarbourError?

    init(gate: AccessGate) { self.gate = gate }

    /// What keeps it from being known whether one run may begin, such as a cluster service that is away, is no answer to
    /// the others.
    mutating func verdict(_ run: RunIntent) async -> RunVerdict {
        do throws(HarbourError) { return try await knownVerdict(run) } catch {
            return RunVerdict(allowed: false, errorCode: error.code.name, message: error.message, unknown: true)
        }
    }

    private mutating func knownVerdict(_ run: RunIntent) async throws(HarbourError) -> RunVerdict {
        // What the platform does for itself is nobody's.
        if run.userName == RequestContext.system { return RunVerdict(allowed: true) }
        guard let principal = try await principal(run.userName) else {
            return RunVerdict(
                allowed: false, errorCode: "USER_NOT_ACTIVE",
                message: "The run acts for \(run.userName), who is deleted or deactivated. Let somebody else make the "
                    + "job or start the run, or ask an administrator.")
        }
        do throws(HarbourError) {
            try AccessGate.check(.members, principal, isService: true)
            for path in run.paths {
                // What is no path at all fails its task, which says so.
                guard let path = try? WorkspacePath(path) else { continue }
                try await require(AccessTargets.levelOnFile, .path(path), principal)
            }
            for id in run.jobIds ?? [] { try await require(AccessTargets.levelOnJob, .job(id), principal) }
            for id in run.clusterIds { try await require(AccessTargets.levelOnCluster, .cluster(id), principal) }
        } catch {
            guard error.code == .permissionDenied else { throw error }
            return RunVerdict(
                allowed: false, errorCode: error.code.name,
                message: "The run acts for \(run.userName). \(error.message)")
        }
        return RunVerdict(allowed: true)
    }

    private mutating func principal(_ userName: String) async throws(HarbourError) -> Principal? {
        if let known = principals[userName] { return try known.get() }
        let found: Result<Principal?, HarbourError>
        do throws(HarbourError) { found = .success(try await gate.people.principal(userName)) } catch {
            found = .failure(error)
        }
        principals[userName] = found
        return try found.get()
    }

    private mutating func require(
        _ level: AccessLevel, _ object: Securable, _ principal: Principal
    ) async throws(HarbourError) {
        let question = Question(userName: principal.userName, object: object)
        if let known = answers[question] { return try known.get() }
        if !principal.isAdministrator {
            if case .cluster = object, let clustersAway { throw clustersAway }
            if case .job = object, let jobsAway { throw jobsAway }
        }
        var answer = Result<Void, HarbourError>.success(())
        do throws(HarbourError) { try await gate.require(level, on: object, principal) } catch {
            // What does not exist fails its task, which says so.
            if error.code != .notFound { answer = .failure(error) }
            if [.unavailable, .deadlineExceeded].contains(error.code) {
                if case .cluster = object { clustersAway = error }
                if case .job = object { jobsAway = error }
            }
        }
        answers[question] = answer
        try answer.get()
    }
}
