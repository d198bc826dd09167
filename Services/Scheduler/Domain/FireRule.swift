internal import Core
internal import CronSchedule
internal import HarbourProtocol

/// When a job runs by itself at times that are known beforehand.
enum FireRule: Sendable {
    case cron(CronSchedule)
    /// Every so many milliseconds.
    case every(Int64)

    /// The first time after `time`.
    /// - Parameter anchor: a time of the rule; intervals are counted from there.
    func next(after time: Timestamp, anchor: Timestamp) -> Timestamp? {
        switch self {
        case .cron(let schedule): return schedule.next(after: time)
        case .every(let interval):
            guard time >= anchor else { return anchor }
            let steps = (time.milliseconds - anchor.milliseconds) / interval + 1
            let (span, overflow) = steps.multipliedReportingOverflow(by: interval)
            return overflow ? nil : Timestamp(milliseconds: anchor.milliseconds + span)
        }
    }
}

/// Which times of a rule make runs now, and when to look again: the whole decision, without a clock.
struct FireDecision: Sendable, Equatable {
    var fires: [Timestamp] = []
    var next: Timestamp?

    /// How many times are made up for at once; more follow at once.
    static let most = 100
    /// How late a time may be that `SKIP` does not leave out, in milliseconds.
    static let tolerance: Int64 = 60_000

    init() {}

    /// One fire, and none to come.
    init(once time: Timestamp) { fires = [time] }

    /// - Parameter due: the time that was to come next; it is not after `now`.
    init(_ rule: FireRule, due: Timestamp, now: Timestamp, policy: MissedFirePolicy) {
        switch policy {
        case .runOnce:
            fires = [due]
            next = rule.next(after: now, anchor: due)
        case .runAll:
            var time: Timestamp? = due
            while let fire = time, fire <= now, fires.count < Self.most {
                fires.append(fire)
                time = rule.next(after: fire, anchor: due)
            }
            next = time
        case .skip:
            let oldest = Timestamp(milliseconds: now.milliseconds - Self.tolerance)
            let first = due >= oldest ? due : rule.next(after: oldest, anchor: due)
            guard let first, first <= now else {
                next = first
                return
            }
            fires = [first]
            next = rule.next(after: first, anchor: due)
        }
    }
}

extension JobSpec {
    /// The rule of the job's schedule or interval, whether it is paused or not.
    ///
    /// - Throws: `INVALID_CRON_EXPRESSION`, `INVALID_TIME_ZONE`.
    func fireRule() throws(HarbourError) -> (rule: FireRule, policy: MissedFirePolicy)? {
        if let schedule { return (try schedule.rule(), schedule.missedFirePolicy ?? .runOnce) }
        guard let periodic = trigger?.periodic else { return nil }
        return (.every(Int64(periodic.interval) * periodic.unit.milliseconds), periodic.missedFirePolicy ?? .runOnce)
    }

    /// Whether what makes it run by itself is paused.
    var isPaused: Bool {
        [schedule?.pauseStatus, trigger?.pauseStatus, continuous?.pauseStatus].contains(.paused)
    }

    /// When it runs next by itself, if it is set up now; nil when nothing makes it run at a known time.
    func nextFireTime(after time: Timestamp) throws(HarbourError) -> Timestamp? {
        let rule = try fireRule()
        if isPaused { return nil }
        if continuous != nil { return time }
        switch rule?.rule {
        case .cron(let cron): return cron.next(after: time)
        case .every(let interval): return Timestamp(milliseconds: time.milliseconds + interval)
        case nil: return nil
        }
    }

    /// Whether two definitions run by themselves in the same way.
    func firesLike(_ other: JobSpec) -> Bool {
        schedule == other.schedule && trigger == other.trigger && continuous == other.continuous
    }

    /// What is wrong with what makes it run by itself.
    var triggerProblem: String? {
        let given = [schedule != nil, trigger != nil, continuous != nil].count { $0 }
        if given > 1 { return "A job has at most one of schedule, trigger and continuous." }
        if let trigger {
            let kinds = [trigger.periodic != nil, trigger.jobCompletion != nil, trigger.fileArrival != nil]
            if kinds.count(where: { $0 }) != 1 {
                return "A trigger has exactly one of periodic, job_completion and file_arrival."
            }
            if let url = trigger.fileArrival?.url {
                do throws(HarbourError) { _ = try FilePlace(url) } catch { return error.message }
            }
        }
        if let notificationProblem { return notificationProblem }
        if continuous != nil, maxConcurrentRuns ?? 1 != 1 {
            return "A continuous job has one run at a time: leave max_concurrent_runs out."
        }
        return nil
    }
}

extension JobSchedule {
    func rule() throws(HarbourError) -> FireRule {
        .cron(try CronSchedule(quartzCronExpression, timeZone: timezoneID))
    }
}

extension PeriodicUnit {
    var milliseconds: Int64 {
        switch self {
        case .seconds: 1000
        case .minutes: 60_000
        case .hours: 3_600_000
        case .days: 86_400_000
        case .weeks: 604_800_000
        }
    }
}
