internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// Says of runs that are about to begin whether the users that they act for may still do what the runs do, by the same
/// rules by which the front door lets users make jobs.
struct RunChecks: Sendable {
    let gate: AccessGate

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.checkRuns) { [self] input, _ in
            var verdicts: [RunVerdict] = []
            for run in input.body.runs { verdicts.append(try await verdict(run)) }
            return RunVerdictList(verdicts: verdicts)
        }
    }

    /// - Throws: what keeps it from being known, such as a cluster service that is away.
    private func verdict(_ run: RunIntent) async throws(HarbourError) -> RunVerdict {
        // What the platform does for itself is nobody's.
        if run.userName == RequestContext.system { return RunVerdict(allowed: true) }
        guard let principal = try await gate.people.principal(run.userName) else {
            return RunVerdict(
                allowed: false, errorCode: "USER_NOT_ACTIVE",
                message: "The run acts for \(run.userName), who is deleted or deactivated. Let somebody else make the "
                    + "job or start the run, or ask an administrator.")
        }
        do throws(HarbourError) {
            try AccessGate.check(.members, principal, isService: true)
            for id in run.clusterIds { try await require(AccessTargets.levelOnCluster, .cluster(id), principal) }
            for path in run.paths {
                // What is no path at all fails its task, which says so.
                guard let path = try? WorkspacePath(path) else { continue }
                try await require(AccessTargets.levelOnFile, .path(path), principal)
            }
        } catch {
            guard error.code == .permissionDenied else { throw error }
            return RunVerdict(
                allowed: false, errorCode: error.code.name,
                message: "The run acts for \(run.userName). \(error.message)")
        }
        return RunVerdict(allowed: true)
    }

    /// What does not exist fails its task, which says so.
    private func require(
        _ level: AccessLevel, _ object: Securable, _ principal: Principal
    ) async throws(HarbourError) {
        do throws(HarbourError) { try await gate.require(level, on: object, principal) } catch {
            if error.code != .notFound { throw error }
        }
    }
}
