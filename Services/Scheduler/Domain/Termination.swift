/// The reasons of ends that are decided here and not below: stable names, and the words for people. With the reasons
/// that come from clusters and drivers they are the table in `schemas/terminations.json`, which a test goes through.
enum Termination: String, CaseIterable, Sendable {
    case canceled = "USER_CANCELED"
    case taskTimedOut = "TASK_TIMED_OUT"
    case runTimedOut = "RUN_TIMED_OUT"
    case upstreamFailed = "UPSTREAM_FAILED"
    case upstreamCanceled = "UPSTREAM_CANCELED"
    case excluded = "CONDITIONS_NOT_MET"
    case disabled = "TASK_DISABLED"
    case placesTaken = "MAX_CONCURRENT_RUNS_REACHED"
    case iterationsFailed = "ITERATIONS_FAILED"
    case unresolved = "PARAMETER_UNRESOLVED"
    case unsafeReference = "REFERENCE_NOT_ALLOWED"
    case notComparable = "CONDITION_NOT_COMPARABLE"
    case badInputs = "FOR_EACH_INPUTS_INVALID"
    case notebookNotFound = "NOTEBOOK_NOT_FOUND"
    case runJobFailed = "RUN_JOB_FAILED"
    case runJobNotFound = "RUN_JOB_NOT_FOUND"
    case runJobTooDeep = "RUN_JOB_TOO_DEEP"
    case userNotActive = "USER_NOT_ACTIVE"
    case permissionDenied = "PERMISSION_DENIED"

    var code: String { rawValue }

    /// The reason of a task that ended so without an attempt's own reason.
    init?(task result: TaskResult, isRunTimedOut: Bool) {
        switch result {
        case .canceled: self = .canceled
        case .timedOut: self = isRunTimedOut ? .runTimedOut : .taskTimedOut
        case .upstreamFailed: self = .upstreamFailed
        case .upstreamCanceled: self = .upstreamCanceled
        case .excluded: self = .excluded
        case .disabled: self = .disabled
        case .skipped: self = .placesTaken
        case .success, .successWithFailures, .failed: return nil
        }
    }

    /// What people read where nothing more is known.
    var sentence: String {
        switch self {
        case .canceled: "It was cancelled."
        case .taskTimedOut: "It ran out of the time that one attempt may take."
        case .runTimedOut: "The run ran out of time."
        case .upstreamFailed: "Not run, because a task it depends on did not succeed."
        case .upstreamCanceled: "Not run, because a task it depends on was cancelled."
        case .excluded: "Not run, because what it depends on did not end as its run_if or its outcome asks for."
        case .disabled: "Not run, because it is disabled."
        case .placesTaken: "Not run, because as many runs of the job as it allows were under way and it has no queue."
        case .iterationsFailed: "Iterations failed."
        case .unresolved: "A reference has no value."
        case .unsafeReference: "A reference may not stand in the text of a script or statement."
        case .notComparable: "The sides of the condition cannot be compared as numbers."
        case .badInputs: "The inputs of the for-each task are no JSON array of at most 1000 values."
        case .notebookNotFound: "The notebook does not exist."
        case .runJobFailed: "The run of the other job did not succeed."
        case .runJobNotFound: "The other job does not exist."
        case .runJobTooDeep: "Jobs that run jobs may be nested five deep."
        case .userNotActive: "The user that the run acts for is deleted or deactivated."
        case .permissionDenied: "The user that the run acts for may not do what it does."
        }
    }
}
