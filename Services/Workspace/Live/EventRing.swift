/// The newest events of a topic, shared by all who follow it: whoever is further behind reads the database at its own
/// pace. It is bounded by number and by bytes, however slow a reader is.
struct EventRing: Sendable {
    /// An event as it is sent.
    struct Event: Sendable, Hashable {
        var sequence: Int64
        /// A whole message.
        var text: String
        /// How many bytes of it are before the event itself.
        var head = 0
    }

    /// What a reader finds.
    enum Finding: Sendable, Hashable {
        case events([Event])
        /// They are not here any more.
        case older
    }

    private let maxEvents: Int
    private let maxBytes: Int
    private var events: [Event] = []
    /// How many at the front of `events` are gone.
    private var first = 0
    private var bytes = 0
    /// The number of the last event; what comes after it is here.
    private(set) var last: Int64
    /// Events up to here are not here.
    private(set) var start: Int64

    /// - Parameter last: where the topic stands; only later events will be here.
    init(last: Int64, maxEvents: Int = 512, maxBytes: Int = 2 << 20) {
        self.last = last
        start = last
        self.maxEvents = maxEvents
        self.maxBytes = maxBytes
    }

    /// Takes the next events in; those that are known already are left out.
    mutating func append(_ new: [Event]) {
        for event in new where event.sequence > last {
            events.append(event)
            bytes += event.text.utf8.count
            last = event.sequence
        }
        while events.count - first > maxEvents || (bytes > maxBytes && events.count - first > 1) {
            bytes -= events[first].text.utf8.count
            start = events[first].sequence
            events[first].text = ""
            first += 1
        }
        if first > maxEvents {
            events.removeFirst(first)
            first = 0
        }
    }

    /// Up to `count` events after a number.
    func events(after sequence: Int64, count: Int) -> Finding {
        if sequence < start { return .older }
        var low = first
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].sequence <= sequence { low = middle + 1 } else { high = middle }
        }
        return .events(Array(events[low..<min(events.count, low + count)]))
    }
}
