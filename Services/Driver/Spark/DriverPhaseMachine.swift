internal import Core
internal import HarbourProtocol

/// How far the driver is. Pure.
struct DriverPhaseMachine {
    /// STARTING to RUNNING or FAILED; RUNNING to FAILED; all to STOPPING.
    private(set) var phase = DriverPhase.starting
    private(set) var spark: SparkInfo?
    private(set) var failure: SparkFailure?
    private(set) var timings: [PhaseTiming]?

    private var before: [PhaseTiming] = []

    /// Something that came before Spark took that long.
    mutating func prepared(_ name: String, _ time: Duration) {
        before.append(PhaseTiming(name: name, milliseconds: time.milliseconds))
    }

    var isStopping: Bool { phase == .stopping }

    var message: String {
        switch phase {
        case .starting: "Spark is starting."
        case .running: "Spark is ready."
        case .failed: failure?.message ?? "Spark does not run."
        case .stopping: "The driver is ending."
        }
    }

    mutating func ready(_ ready: SparkReady, after time: Duration) {
        guard phase == .starting else { return }
        phase = .running
        spark = ready.info
        timings = before + ready.timings + [PhaseTiming(name: "total", milliseconds: time.milliseconds)]
    }

    /// False when it had failed or was ending before: the first reason counts.
    mutating func fail(_ failure: SparkFailure) -> Bool {
        guard phase == .starting || phase == .running else { return false }
        phase = .failed
        self.failure = failure
        return true
    }

    mutating func stop() { phase = .stopping }
}
