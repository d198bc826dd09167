internal import CPlatform
public import Core
internal import Glibc

/// Tells when something comes into folders, leaves them or is finished there (inotify), so that nobody has to look
/// again and again. It says that there is something to see, not what: who is told lists the folder.
///
/// Many may watch through one, each with a key of its own; the kernel gives a user few of these and many watches. It
/// does not hear of what other machines do on a shared file system.
public final class FolderWatch: DescriptorHandler {
    private let loop: EventLoop
    private let descriptor: Int32
    private let handler: (Set<Int64>) -> Void
    /// Who watches a folder, by the kernel's number of it.
    private var watchers: [Int32: Set<Int64>] = [:]
    /// What somebody watches.
    private var folders: [Int64: [String: Int32]] = [:]
    private var isOpen = true

    /// Watches nothing yet; `handler` is called on the loop with the keys of those who have something to see. Only on
    /// the loop.
    /// Throws `TEMPORARILY_UNAVAILABLE` when the process is out of descriptors, or the user of watches.
    public init(loop: EventLoop, _ handler: @escaping (Set<Int64>) -> Void) throws(HarbourError) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        self.loop = loop
        self.handler = handler
        guard descriptor >= 0 else { throw .system("Folders could not be watched", errno) }
        do {
            try loop.register(descriptor, .readable, self)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Watches these folders and no others for a key; what is watched already stays so. Only on the loop.
    /// - Returns: whether one is new: it may have changed since it was listed.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the user may have no more watches; some are then watched.
    public func cover(_ wanted: [String], for key: Int64) throws(HarbourError) -> Bool {
        let wanted = Set(wanted)
        for (folder, watch) in folders[key] ?? [:] where !wanted.contains(folder) {
            release(watch, key)
            folders[key]?[folder] = nil
        }
        var isNew = false
        let mask = UInt32(
            IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
                | IN_ONLYDIR)
        for folder in wanted where folders[key]?[folder] == nil {
            let watch = inotify_add_watch(descriptor, folder, mask)
            if watch < 0 {
                // It has gone since it was listed.
                if errno == ENOENT || errno == ENOTDIR || errno == EACCES { continue }
                throw .system("The folder could not be watched", errno)
            }
            watchers[watch, default: []].insert(key)
            folders[key, default: [:]][folder] = watch
            isNew = true
        }
        return isNew
    }

    /// Watches nothing more for a key. Only on the loop.
    public func forget(_ key: Int64) {
        for watch in folders.removeValue(forKey: key)?.values.map({ $0 }) ?? [] { release(watch, key) }
    }

    /// Stops watching. Only on the loop.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        loop.deregister(descriptor)
        Glibc.close(descriptor)
    }

    private func release(_ watch: Int32, _ key: Int64) {
        guard watchers[watch]?.remove(key) != nil, watchers[watch]?.isEmpty == true else { return }
        watchers[watch] = nil
        inotify_rm_watch(descriptor, watch)
    }

    /// Takes all that the kernel has to tell, and calls the handler once.
    public func descriptorReady(_ events: ReadyEvents) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        var told: Set<Int64> = []
        while isOpen {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            take(buffer[..<count], &told)
        }
        if !told.isEmpty, isOpen { handler(told) }
    }

    private func take(_ events: ArraySlice<UInt8>, _ told: inout Set<Int64>) {
        var rest = events
        while rest.count >= 16 {
            let (watch, mask, length) = rest.withUnsafeBytes { bytes in
                (
                    bytes.loadUnaligned(as: Int32.self), bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                    bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
                )
            }
            if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                told.formUnion(folders.keys)
            } else if let keys = watchers[watch] {
                told.formUnion(keys)
                // A folder that has gone, or is elsewhere, may come again under its name.
                if mask & UInt32(IN_IGNORED | IN_MOVE_SELF) != 0 { lose(watch, keys, mask) }
            }
            rest = rest.dropFirst(16 + Int(length))
        }
    }

    private func lose(_ watch: Int32, _ keys: Set<Int64>, _ mask: UInt32) {
        watchers[watch] = nil
        for key in keys { folders[key] = folders[key]?.filter { $0.value != watch } }
        if mask & UInt32(IN_IGNORED) == 0 { inotify_rm_watch(descriptor, watch) }
    }
}

/// Whether somebody has the file open for writing, as far as the kernel tells us: for files of our user, or of anybody
/// for a privileged process.
public func isBeingWritten(_ path: String) -> Bool { platform_is_being_written(path) }
