internal import Core

/// In which order questions are asked that wait for an answer: new ones at once and in the order they came, those that
/// could not be answered again after a pause that grows. So what has no answer keeps nothing else waiting.
///
/// Does no I/O and knows no clock.
struct AdmissionQueue<Question: Hashable & Sendable>: Sendable {
    static var firstPause: Duration { .milliseconds(100) }
    static var longestPause: Duration { .seconds(2) }

    private enum State {
        case new
        case asked(pause: Duration)
        case putOff(until: MonotonicTime, pause: Duration)
    }

    private var states: [Question: State] = [:]
    /// May name some that have been forgotten since.
    private var new: [Question] = []

    /// Takes a question up, unless it waits already.
    ///
    /// - Returns: whether it is new.
    mutating func add(_ question: Question) -> Bool {
        guard states[question] == nil else { return false }
        states[question] = .new
        new.append(question)
        return true
    }

    /// The question has its answer, or nobody waits for one any more.
    mutating func forget(_ question: Question) { states[question] = nil }

    /// New questions, which count as asked from then on; the oldest first.
    mutating func takeNew(_ limit: Int) -> [Question] {
        var taken: [Question] = []
        var seen = 0
        for question in new {
            if taken.count == limit { break }
            seen += 1
            // One that was forgotten and came again is in the list twice.
            guard case .new = states[question] else { continue }
            states[question] = .asked(pause: Self.firstPause)
            taken.append(question)
        }
        new.removeFirst(seen)
        return taken
    }

    /// Questions whose pause is over, which count as asked from then on; the longest overdue first.
    mutating func takeDue(_ now: MonotonicTime, _ limit: Int) -> [Question] {
        var due: [(question: Question, until: MonotonicTime, pause: Duration)] = []
        for case (let question, .putOff(let until, let pause)) in states where until <= now {
            due.append((question, until, pause))
        }
        due.sort { $0.until < $1.until }
        for entry in due.prefix(limit) { states[entry.question] = .asked(pause: entry.pause) }
        return due.prefix(limit).map(\.question)
    }

    /// A question that was asked has no answer yet.
    mutating func putOff(_ question: Question, _ now: MonotonicTime) {
        guard case .asked(let pause) = states[question] else { return }
        states[question] = .putOff(until: now + pause, pause: min(pause * 2, Self.longestPause))
    }

    /// When the next pause is over; nil when none is.
    var next: MonotonicTime? {
        states.values.compactMap { if case .putOff(let until, _) = $0 { until } else { nil } }.min()
    }
}
