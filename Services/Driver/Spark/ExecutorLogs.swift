internal import Core
internal import EventLoop
internal import Glibc

/// Follows what executors on this machine write: `<work>/<application>/<executor>/stderr` and `stdout`, those that come
/// later and those that are rolled over included.
///
/// Used on the driver's loop only.
final class ExecutorLogs: @unchecked Sendable {
    private struct Followed {
        var inode: ino_t
        var follower: FileFollower
    }

    /// More executors than this are not followed; they are a crash loop, and each costs two descriptors.
    private static let limit = 256

    private let work: String
    private let loop: EventLoop
    private let receive: (_ source: String, _ line: String) -> Void
    private var watches: [String: PathWatch] = [:]
    private var files: [String: Followed] = [:]
    private let logger = Logger("driver.logs")

    init(work: String, loop: EventLoop, receive: @escaping (_ source: String, _ line: String) -> Void) {
        self.work = work
        self.loop = loop
        self.receive = receive
        look()
    }

    func close() {
        for watch in watches.values { watch.close() }
        for file in files.values { file.follower.close() }
        watches = [:]
        files = [:]
    }

    /// Watches every folder and follows every file that is there by now.
    private func look() {
        watch(work)
        for application in ScratchFolder.names(in: work) where application.hasPrefix("app-") {
            let folder = "\(work)/\(application)"
            watch(folder)
            for executor in ScratchFolder.names(in: folder) where Int(executor) != nil {
                watch("\(folder)/\(executor)")
                for name in ["stderr", "stdout"] { follow("\(folder)/\(executor)/\(name)", "worker-\(executor)") }
            }
        }
    }

    private func watch(_ folder: String) {
        guard watches[folder] == nil, watches.count < ExecutorLogs.limit else { return }
        do throws(HarbourError) {
            let events = UInt32(IN_CREATE) | UInt32(IN_MOVED_TO)
            watches[folder] = try PathWatch(folder, events, loop: loop) { [weak self] in self?.look() }
        } catch {
            logger.debug("A folder of executors is not watched.", ["error": error.describeChain()])
        }
    }

    private func follow(_ path: String, _ source: String) {
        var information = stat()
        guard stat(path, &information) == 0 else { return }
        if let known = files[path] {
            if known.inode == information.st_ino { return }
            known.follower.close()
        } else if files.count >= 2 * ExecutorLogs.limit {
            return
        }
        do throws(HarbourError) {
            let follower = try FileFollower(path, loop: loop) { [receive] line in receive(source, line) }
            files[path] = Followed(inode: information.st_ino, follower: follower)
        } catch {
            logger.debug("An executor's log is not followed.", ["error": error.describeChain()])
        }
    }
}
