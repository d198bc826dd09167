internal import Configuration
internal import Core
internal import Cryptography
internal import EventLoop
internal import HarbourProtocol
internal import ObjectStorage
internal import ServiceKit

/// Shows administrators where large files are kept and what takes up room.
struct StorageHandlers: Sendable {
    private let uploads: UploadService
    private let trashDays: Int
    private let settings: [StorageSetting]
    /// Nil when no storage was set up.
    private let check: StorageCheck?
    private let count: StorageCount

    init(uploads: UploadService, settings: Configuration, trashDays: Int, loop: EventLoop) {
        self.uploads = uploads
        self.trashDays = trashDays
        self.settings = StorageSettings.described(settings)
        check = uploads.storage.map { StorageCheck($0, loop: loop) }
        let usage = StorageUsageStore(pool: uploads.store.pool)
        let name = uploads.storage?.name ?? "none"
        count = StorageCount(loop: loop) { (try await usage.objects(in: name), try await usage.tables()) }
    }

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.getStorage) { [self] _, _ in try await status() }
    }

    private func status() async throws -> StorageStatus {
        async let found = check?.outcome()
        let counted = try await count.outcome()
        let outcome = await found
        let error = outcome.map { $0.error } ?? StorageHandlers.absent
        var status = StorageStatus(
            backend: .absent, isReachable: error == nil, checkedTime: outcome?.time ?? .now,
            checkMilliseconds: outcome?.duration.milliseconds, errorCode: error?.code.name, message: error?.message,
            freeBytes: outcome?.room?.free, totalBytes: outcome?.room?.total, countedTime: counted.time,
            objectUsage: counted.objects, databaseUsage: counted.tables, limits: limits, settings: settings)
        switch uploads.storage?.place {
        case .folder(let path):
            (status.backend, status.folder) = (.local, path)
            status.advice = error.map { StorageHandlers.adviceOnFolder($0.code) }
        case .bucket(let bucket, let endpoint, let region):
            (status.backend, status.bucket, status.endpoint, status.region) = (.s3, bucket, endpoint, region)
            status.prefix = ObjectKey.prefix
            status.advice = error.map { StorageHandlers.adviceOnBucket($0.code) }
        case nil:
            status.advice =
                "Set HARBOUR_WORKSPACE_STORAGE_FOLDER, or HARBOUR_DATA, and start the service again. The log of the "
                + "service says why there is none."
        }
        return status
    }

    private static let absent = HarbourError(
        .unsupported, "There is no object storage: only notebooks and small files can be kept.")

    private var limits: StorageLimits {
        StorageLimits(
            maxFileBytes: Int64(uploads.limit), chunkBytes: Int64(UploadService.pieceSize),
            maxOpenUploads: Int64(UploadStore.limit), uploadExpirySeconds: uploads.lifetime.milliseconds / 1000,
            trashDays: Int64(trashDays))
    }

    // MARK: What to do next

    private static func adviceOnFolder(_ code: ErrorCode) -> String {
        switch code {
        case .storageFull:
            "Free some room, or move the folder to a larger disk and name it in HARBOUR_WORKSPACE_STORAGE_FOLDER. "
                + "What is in the trash takes up room until it is deleted for good."
        case .deadlineExceeded: "See whether the disk still answers; where it is one of the network, its server."
        default:
            "See that the folder is there, that its disk is mounted and that the service may write to it, or name "
                + "another in HARBOUR_WORKSPACE_STORAGE_FOLDER."
        }
    }

    private static func adviceOnBucket(_ code: ErrorCode) -> String {
        switch code {
        case .storageRefused:
            "Check HARBOUR_WORKSPACE_S3_BUCKET, HARBOUR_WORKSPACE_S3_ACCESS_KEY and HARBOUR_WORKSPACE_S3_SECRET_KEY. "
                + "The key must be allowed to read, write, delete and list uploads below \(ObjectKey.prefix). A temporary "
                + "key needs its HARBOUR_WORKSPACE_S3_SESSION_TOKEN too, and a new one when it has ended."
        case .storageFull:
            "Make room on the S3 server. What is in the trash takes up room until it is deleted for good."
        case .tlsCertificateRejected, .tlsHandshakeFailed:
            "See that HARBOUR_WORKSPACE_S3_ENDPOINT names the server as its certificate does, and that this machine "
                + "trusts whoever signed it."
        default:
            "See that the S3 server runs and can be reached from this machine, and that HARBOUR_WORKSPACE_S3_ENDPOINT "
                + "names it. Nothing is lost: uploads go on when it is back."
        }
    }
}
