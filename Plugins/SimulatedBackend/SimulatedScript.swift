public import ClusterBackend
public import Core

/// A point of a backend's work where a fault can be put.
public enum SimulatedStep: Sendable, Hashable {
    /// A phase of `provision`, at its beginning.
    case phase(StartPhase)
    /// `provision`, after everything has been made and before it answers.
    case answer
    /// `resize`.
    case resize
    /// `halt`.
    case halt
    /// `terminate`.
    case terminate
    /// `status`.
    case status
    /// `recover`.
    case recover
}

/// What goes wrong.
public enum SimulatedFault: Sendable {
    /// The call fails with that error.
    case fail(HarbourError)
    /// The call does not come back until it is cancelled.
    case hang
    /// It takes that much longer.
    case delay(Duration)
}

/// What a simulated place does beside working: delays of each step, faults at chosen ones.
public struct SimulatedScript: Sendable {
    struct Planned: Sendable {
        var step: SimulatedStep
        var cluster: ClusterIdentifier?
        var fault: SimulatedFault
        var remaining: Int
    }

    /// The phases of a start and how long each takes.
    public var phases: [(phase: StartPhase, duration: Duration)]
    /// How long ending a cluster takes.
    public var terminationTime: Duration
    /// What it claims to be able to do.
    public var capabilities: Capabilities
    /// What `preflight` answers.
    public var preflight: PreflightReport
    var planned: [Planned] = []

    /// A script in which nothing goes wrong: a start of five seconds in three phases.
    public init(
        phases: [(phase: StartPhase, duration: Duration)] = [
            (.prepare, .seconds(1)), (.driver, .seconds(2)), (.workers, .seconds(2)),
        ],
        terminationTime: Duration = .seconds(1),
        capabilities: Capabilities = Capabilities(
            [.workers, .resize, .images, .logs, .stats, .recovery], maximumWorkers: 100, maximumCores: 64,
            maximumMemoryMiB: 1_048_576),
        preflight: PreflightReport = PreflightReport(checks: [
            PreflightReport.Check("simulation", passed: true, message: "The simulated place is always there.")
        ])
    ) {
        self.phases = phases
        self.terminationTime = terminationTime
        self.capabilities = capabilities
        self.preflight = preflight
    }

    /// Plans a fault at a step, of one cluster or of any, for that many times.
    public mutating func plan(
        _ fault: SimulatedFault, at step: SimulatedStep, of cluster: ClusterIdentifier? = nil, times: Int = 1
    ) {
        planned.append(Planned(step: step, cluster: cluster, fault: fault, remaining: times))
    }

    /// Takes the next fault that is due there.
    mutating func take(_ step: SimulatedStep, _ cluster: ClusterIdentifier?) -> SimulatedFault? {
        let index = planned.firstIndex {
            $0.step == step && ($0.cluster == nil || $0.cluster == cluster) && $0.remaining > 0
        }
        guard let index else { return nil }
        planned[index].remaining -= 1
        return planned[index].fault
    }
}
