internal import Core
internal import HarbourProtocol
internal import Postgres

extension WorkspaceTree {
    /// How many entries a copy may have.
    static let maximumCopies = 10_000
    /// How many bytes of the database a copy may take.
    private static let maximumCopyBytes = 1 << 30

    /// Copies an entry and all below it, as it is now: of each notebook and file the newest revision, without the ones
    /// before, its outputs as far as they have come, and its widgets with what was chosen. The copies are the user's own, and nothing that was given on the
    /// others is given on them.
    func copy(_ source: WorkspacePath, to destination: WorkspacePath, by user: String) async throws -> ObjectInfo {
        guard source != destination, !source.contains(destination) else {
            throw HarbourError(
                .invalidParameter, "\(source.text) cannot be copied into itself. Choose another destination_path.")
        }
        return try await pool.transaction(timeout: CopyStore.patience) { transaction in
            let now = Timestamp.now
            // Nobody moves or deletes meanwhile; who saves into the source is in the copy or is not.
            try await objects.lockTree(exclusively: false, in: transaction)
            guard try await objects.find(source, on: transaction) != nil else { throw WorkspaceTree.missing(source) }
            guard try await objects.find(destination, on: transaction) == nil else {
                throw WorkspaceTree.taken(destination)
            }
            let extent = try await TreeExtent.measure(CopyStore.below(source), in: transaction)
            try WorkspaceTree.checkSize(extent, source)
            try extent.check(from: source, to: destination)
            try await makeFolders(above: destination, by: user, at: now, in: transaction)
            let copies = CopyStore()
            let (wanted, made) = try await copies.copyObjects(
                source, to: destination, by: user, at: now, in: transaction)
            guard made == wanted else { throw WorkspaceTree.taken(destination) }
            try await copies.copyRevisions(below: destination, from: source, by: user, at: now, in: transaction)
            try await copies.endOutputs(below: destination, in: transaction)
            try await copies.copyWidgets(below: destination, from: source, in: transaction)
            guard let copy = try await objects.find(destination, on: transaction) else {
                throw WorkspaceTree.missing(destination)
            }
            return copy.info
        }
    }

    private static func checkSize(_ extent: TreeExtent, _ source: WorkspacePath) throws(HarbourError) {
        guard extent.entries <= maximumCopies, extent.contentBytes <= maximumCopyBytes else {
            throw HarbourError(
                .tooLarge,
                "\(source.text) has \(extent.entries) entries with \(extent.contentBytes >> 20) MiB; at most "
                    + "\(maximumCopies) with \(maximumCopyBytes >> 20) MiB are copied at once. Copy the folders in it "
                    + "one by one.")
        }
    }

    static func taken(_ path: WorkspacePath) -> HarbourError {
        HarbourError(.alreadyExists, "\(path.text) is there already. Choose another destination_path.")
    }
}
