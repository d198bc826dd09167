internal import Core

/// A timer that has been set; it can be cancelled until it fires. Touched on its loop only.
public final class LoopTimer {
    fileprivate var work: (() -> Void)?

    fileprivate init(_ work: @escaping () -> Void) { self.work = work }

    /// The work will not run. Cancelling a timer that has fired does nothing.
    public func cancel() { work = nil }
}

/// Timers in a binary heap. A cancelled one stays until its time comes or until cancelled ones are the majority.
struct TimerQueue {
    private struct Entry {
        var time: MonotonicTime
        var sequence: UInt64
        var timer: LoopTimer

        func precedes(_ other: Entry) -> Bool {
            time == other.time ? sequence < other.sequence : time < other.time
        }
    }

    private var heap: [Entry] = []
    private var sequence: UInt64 = 0
    private var compactAt = 64

    var isEmpty: Bool { heap.isEmpty }

    mutating func add(at time: MonotonicTime, _ work: @escaping () -> Void) -> LoopTimer {
        let timer = LoopTimer(work)
        if heap.count >= compactAt { dropCancelled() }
        heap.append(Entry(time: time, sequence: sequence, timer: timer))
        sequence &+= 1
        siftUp(heap.count - 1)
        return timer
    }

    /// When the loop is wanted next, or nil.
    mutating func next() -> MonotonicTime? {
        while let first = heap.first, first.timer.work == nil { removeFirst() }
        return heap.first?.time
    }

    /// Removes and returns the work of all timers whose time has come, in order. Each runs only if it is still wanted
    /// when its turn comes, so that the first of a batch can cancel the second.
    mutating func takeDue(at now: MonotonicTime) -> [() -> Void] {
        var due: [() -> Void] = []
        while let first = heap.first, first.time <= now {
            removeFirst()
            let timer = first.timer
            due.append {
                guard let work = timer.work else { return }
                timer.work = nil
                work()
            }
        }
        return due
    }

    private mutating func dropCancelled() {
        let alive = heap.filter { $0.timer.work != nil }
        heap = []
        for entry in alive {
            heap.append(entry)
            siftUp(heap.count - 1)
        }
        compactAt = max(64, heap.count * 2)
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        if heap.isEmpty { return }
        heap[0] = last
        siftDown(0)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least])
            {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
