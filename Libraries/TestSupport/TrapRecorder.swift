internal import Glibc
internal import Synchronization

/// Saves the input a thread is working on when the process traps, since nothing in Swift runs after a trap.
enum TrapRecorder {
    /// What a signal handler may read: memory that does not move, for one thread at a time.
    fileprivate struct Slot {
        var thread: pthread_t = 0
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        var path: UnsafeMutablePointer<CChar>?
    }

    /// Tests run in parallel; more fuzzers than slots at once only lose the file, not the failure.
    nonisolated(unsafe) fileprivate static let slots: UnsafeMutableBufferPointer<Slot> = {
        let slots = UnsafeMutableBufferPointer<Slot>.allocate(capacity: 16)
        slots.initialize(repeating: Slot())
        return slots
    }()
    private static let lock = Mutex(())
    private static let installed: Void = {
        // Tables must exist before the handler, which may not make anything.
        _ = slots
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT] { signal(number, saveAndDie) }
    }()

    /// Makes the folders of a path; only calls that a signal handler may make.
    fileprivate static func makeFolders(_ path: UnsafeMutablePointer<CChar>) {
        var index = 1
        while path[index] != 0 {
            if path[index] == 0x2f {
                path[index] = 0
                mkdir(path, 0o777)
                path[index] = 0x2f
            }
            index += 1
        }
    }

    static func begin(_ bytes: [UInt8], _ path: String) {
        _ = installed
        lock.withLock { _ in
            guard let index = slots.firstIndex(where: { $0.thread == 0 }) else { return }
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
            copy.initialize(from: bytes, count: bytes.count)
            slots[index] = Slot(thread: pthread_self(), bytes: copy, count: bytes.count, path: strdup(path))
        }
    }

    static func end() {
        lock.withLock { _ in
            let thread = pthread_self()
            guard let index = slots.firstIndex(where: { $0.thread == thread }) else { return }
            slots[index].bytes?.deallocate()
            free(slots[index].path)
            slots[index] = Slot()
        }
    }
}

/// Only calls that POSIX allows in a signal handler.
private func saveAndDie(_ number: Int32) {
    let thread = pthread_self()
    for slot in TrapRecorder.slots where slot.thread == thread {
        guard let path = slot.path else { continue }
        TrapRecorder.makeFolders(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
        if descriptor >= 0 {
            _ = write(descriptor, slot.bytes, slot.count)
            close(descriptor)
        }
        _ = write(2, path, strlen(path))
        _ = write(2, " has the input that trapped.\n", 29)
    }
    signal(number, SIG_DFL)
    raise(number)
}
