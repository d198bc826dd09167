internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import Lifecycle
internal import ObjectStorage
internal import Postgres

/// Reads, beside everything else, the text of what was stored without it: all that was there before the search was, files
/// that were uploaded in pieces, and what an older program saves.
///
/// How far it is, each entry says by itself: ended at any moment, it goes on with what is left, and several replicas do
/// no harm to each other.
struct SearchReader: Sendable {
    let tree: WorkspaceTree
    let files: FileReader
    private let logger = Logger("search")

    init(tree: WorkspaceTree, files: FileReader) {
        self.tree = tree
        self.files = files
    }

    private static let channel = "workspace_search"
    private static let batch = 100

    var component: LifecycleComponent {
        LifecycleComponent(
            "search",
            run: {
                await prepare()
                // Begins with the connection, so the first time is at the start.
                for await _ in tree.pool.listen(SearchReader.channel) {
                    do { try await read() } catch {
                        logger.warning(
                            "reading for the search stopped; it goes on with the next change",
                            ["error": HarbourError.describe(error)])
                    }
                }
            })
    }

    private func prepare() async {
        do {
            if try await tree.search.ensureIndex(on: tree.pool) { return }
            logger.warning(
                "the search reads all texts each time: the database has no extension pg_trgm, or this user may not create it"
            )
        } catch {
            logger.warning("the index of the search was not made", ["error": HarbourError.describe(error)])
        }
    }

    /// Reads all that is unread. Returns how many entries that were.
    @discardableResult
    func read() async throws -> Int {
        var (last, count) = (Int64(0), 0)
        while true {
            let unread = try await tree.search.unread(after: last, count: SearchReader.batch, on: tree.pool)
            for (id, revision, size) in unread {
                last = id
                guard let text = try await text(revision, size) else { continue }
                try await tree.pool.transaction { transaction in
                    try await tree.search.fill(text, of: id, revision, in: transaction)
                }
                count += 1
            }
            if unread.count < SearchReader.batch { break }
        }
        if count > 0 { logger.info("read for the search", ["entries": "\(count)"]) }
        return count
    }

    /// The text of a revision; nil when it cannot be had now.
    private func text(_ revisionID: Int64, _ size: Int) async throws -> SearchText? {
        // Emptying the trash may have been faster.
        guard let stored = try await tree.revisions.content(.revision(revisionID), on: tree.pool) else { return nil }
        if stored.format == .file, size > SearchText.maximumFile { return SearchText.none }
        do {
            let content = try await files.loaded(stored)
            return try await StoredContent.work(on: content.size) {
                if content.format == .file { return SearchText(file: try content.bytes()) }
                return SearchText(notebook: try content.notebook())
            }
        } catch let error as HarbourError {
            let isPassing = [.unavailable, .deadlineExceeded].contains(error.code)
            logger.warning(
                "an entry was not read for the search", ["path": stored.path, "error": error.describeChain()])
            // What cannot be read at all, or whose bytes are lost, is found by its name alone: otherwise it would be
            // fetched again with every change.
            return isPassing ? nil : SearchText.none
        }
    }
}
