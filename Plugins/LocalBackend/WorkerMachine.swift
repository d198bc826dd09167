internal import ClusterBackend
internal import DriverProcesses

/// What becomes of a cluster's workers, from one report of its driver to the next. No I/O and no clock.
struct WorkerMachine: Sendable, Hashable {
    /// More losses than these of one moment are only counted.
    private static let toldAtOnce = 3

    private var planned = 0
    private var running: Int?
    /// All workers have been there once: before that they are only late.
    private var wasComplete = false
    /// What happened to those that are missing.
    private var complaint = ""

    /// Takes a report, given how many workers there shall be.
    mutating func see(_ report: ExecutorReport, planned: Int) {
        if planned > self.planned { wasComplete = false }
        self.planned = planned
        running = report.running
        if !report.lost.isEmpty { complaint = WorkerMachine.complaint(about: report.lost) }
        if report.running >= planned {
            wasComplete = true
            complaint = ""
        }
    }

    /// The cluster's state, given that its driver lives.
    func status(planned: Int) -> ClusterStatus {
        guard let running, wasComplete, planned <= self.planned, running < planned else {
            return .running(workers: planned)
        }
        let rest = "\(running) of \(planned) workers run; the others are being started."
        return .degraded(workers: running, message: complaint.isEmpty ? rest : complaint)
    }

    private static func complaint(about lost: [ExecutorReport.Lost]) -> String {
        var sentences = lost.prefix(toldAtOnce).map { "worker-\($0.id) \(end(of: $0)) and is being replaced." }
        if lost.count > toldAtOnce { sentences.append("So are \(lost.count - toldAtOnce) more.") }
        if lost.contains(where: \.ranOutOfMemory) { sentences.append("Give the workers more memory.") }
        return sentences.joined(separator: " ")
    }

    private static func end(of lost: ExecutorReport.Lost) -> String {
        if lost.ranOutOfMemory { return "ran out of memory" }
        switch lost.status {
        case let status? where (129...192).contains(status): return "was ended by signal \(status - 128)"
        case let status?: return "ended with status \(status)"
        case nil: return lost.reason.isEmpty ? "was lost" : "was lost (\(lost.reason))"
        }
    }
}
