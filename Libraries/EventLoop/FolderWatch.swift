internal import CPlatform
public import Core
internal import Glibc

/// Tells when something comes into folders, leaves them or is finished there (inotify), so that nobody has to look
/// again and again. It says that there is something to see, not what: who is told lists the folder.
///
/// The kernel does not hear of what other machines do on a shared file system.
public final class FolderWatch: DescriptorHandler {
    private let loop: EventLoop
    private let descriptor: Int32
    private let handler: () -> Void
    private var folders: [Int32: String] = [:]
    private var covered: Set<String> = []
    private var isOpen = true

    /// Watches nothing yet; `handler` is called on the loop. Only on the loop.
    /// Throws `TEMPORARILY_UNAVAILABLE` when the process is out of descriptors or watches.
    public init(loop: EventLoop, _ handler: @escaping () -> Void) throws(HarbourError) {
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

    /// Watches these folders and no others; what is watched already stays so. Only on the loop.
    /// - Returns: whether one is new: it may have changed since it was listed.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the user may have no more watches.
    public func cover(_ wanted: [String]) throws(HarbourError) -> Bool {
        let wanted = Set(wanted)
        for (watch, folder) in folders where !wanted.contains(folder) {
            inotify_rm_watch(descriptor, watch)
            folders[watch] = nil
        }
        var isNew = false
        let mask = UInt32(
            IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
                | IN_ONLYDIR)
        for folder in wanted.subtracting(covered) {
            let watch = inotify_add_watch(descriptor, folder, mask)
            if watch < 0 {
                // It has gone since it was listed.
                if errno == ENOENT || errno == ENOTDIR || errno == EACCES { continue }
                throw .system("The folder could not be watched", errno)
            }
            folders[watch] = folder
            isNew = true
        }
        covered = Set(folders.values)
        return isNew
    }

    /// Stops watching. Only on the loop.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        loop.deregister(descriptor)
        Glibc.close(descriptor)
    }

    /// Takes all that the kernel has to tell, and calls the handler once.
    public func descriptorReady(_ events: ReadyEvents) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        var isTold = false
        while isOpen {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            isTold = true
            forget(buffer[..<count])
        }
        if isTold, isOpen { handler() }
    }

    /// A watch that the kernel has ended, because its folder has gone, may be made again under that name.
    private func forget(_ events: ArraySlice<UInt8>) {
        var rest = events
        while rest.count >= 16 {
            let (watch, mask, length) = rest.withUnsafeBytes { bytes in
                (
                    bytes.loadUnaligned(as: Int32.self), bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                    bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
                )
            }
            if mask & UInt32(IN_IGNORED) != 0 || mask & UInt32(IN_MOVE_SELF) != 0, let folder = folders[watch] {
                folders[watch] = nil
                covered.remove(folder)
            }
            rest = rest.dropFirst(16 + Int(length))
        }
    }
}

/// Whether somebody has the file open for writing, as far as the kernel tells us: for files of our user, or of anybody
/// for a privileged process.
public func isBeingWritten(_ path: String) -> Bool { platform_is_being_written(path) }
