internal import Configuration
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ObjectStorage
internal import WebClient

/// Where files are kept, as the operator has set it.
enum StorageSettings {
    private static let backend = Option<String>.choice(
        "storage-backend", of: ["local", "s3"], environment: "HARBOUR_WORKSPACE_STORAGE_BACKEND",
        aliases: ["STORAGE_BACKEND"], default: "local", help: "Where uploaded files are kept: in a folder, or in S3.")
    private static let data = Option<String>.path(
        "data", environment: "HARBOUR_DATA",
        help: "The platform's folder; files are kept in it when nothing else is set."
    ).optional()
    private static let folder = Option<String>.path(
        "storage-folder", environment: "HARBOUR_WORKSPACE_STORAGE_FOLDER",
        help: "The folder that uploaded files are kept in; storage in the platform's folder when absent."
    ).optional()
    private static let endpoint = Option<String>.string(
        "s3-endpoint", environment: "HARBOUR_WORKSPACE_S3_ENDPOINT", aliases: ["S3_ENDPOINT", "MINIO_ENDPOINT"],
        help: "The S3 server that uploaded files are kept in, such as http://minio:9000; AWS when absent."
    ).optional()
    private static let bucket = Option<String>.string(
        "s3-bucket", environment: "HARBOUR_WORKSPACE_S3_BUCKET", aliases: ["S3_BUCKET", "MINIO_BUCKET_NAME"],
        help: "The bucket that uploaded files are kept in; it must be there."
    ).optional()
    private static let region = Option<String>.string(
        "s3-region", environment: "HARBOUR_WORKSPACE_S3_REGION", aliases: ["S3_REGION", "AWS_REGION"],
        default: "us-east-1", help: "The region of the bucket.")
    private static let accessKey = Option<String>.string(
        "s3-access-key", environment: "HARBOUR_WORKSPACE_S3_ACCESS_KEY",
        aliases: ["S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "MINIO_ACCESS_KEY"], default: "",
        help: "Who we are to the S3 server.")
    private static let secretKey = Option<String>.string(
        "s3-secret-key", environment: "HARBOUR_WORKSPACE_S3_SECRET_KEY",
        aliases: ["S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "MINIO_SECRET_KEY"], default: "", secret: true,
        help: "Our secret to the S3 server.")
    private static let sessionToken = Option<String>.string(
        "s3-session-token", environment: "HARBOUR_WORKSPACE_S3_SESSION_TOKEN",
        aliases: ["S3_SESSION_TOKEN", "AWS_SESSION_TOKEN"], secret: true,
        help: "What comes with a temporary key of the S3 server; AWS_SESSION_TOKEN goes with AWS_ACCESS_KEY_ID only."
    ).optional()
    private static let addressing = Option<String>.choice(
        "s3-addressing", of: S3Location.Addressing.allCases.map(\.rawValue),
        environment: "HARBOUR_WORKSPACE_S3_ADDRESSING", default: "auto",
        help: "Whether the bucket's name is in the host or in the path; auto is in the host for AWS only.")
    private static let limit = Option<Int>.integer(
        "upload-limit-mb", in: 1...65_536, environment: "HARBOUR_WORKSPACE_UPLOAD_LIMIT_MB",
        aliases: ["MAX_UPLOAD_SIZE_MB"], default: "5120", help: "The most MiB that an uploaded file may have.")
    private static let lifetime = Option<Duration>.duration(
        "upload-expiry", in: .seconds(1)...(.seconds(30 * 86_400)), environment: "HARBOUR_WORKSPACE_UPLOAD_EXPIRY",
        default: "24h", help: "How long an upload that was broken off is kept for going on with it.")

    private static let python = Option<String>.string(
        "preview-python", environment: "HARBOUR_WORKSPACE_PREVIEW_PYTHON",
        help: "The interpreter with pyarrow that Parquet files are looked into with; that of clusters when absent."
    ).optional()

    static let all: [any AnyOption] = [
        backend, data, folder, endpoint, bucket, region, accessKey, secretKey, sessionToken, addressing, limit,
        lifetime, python,
    ]

    /// The settings as administrators are shown them. Credentials have no value here, and neither have settings that
    /// are not in force.
    static func described(_ settings: Configuration) -> [StorageSetting] {
        let own: [any AnyOption] = [backend]
        let local: [any AnyOption] = [folder, data]
        let s3: [any AnyOption] = [endpoint, bucket, region, addressing]
        let credentials: [any AnyOption] = [accessKey, secretKey, sessionToken]
        let limits: [any AnyOption] = [limit, lifetime]
        let inForce = settings[backend] == "s3" ? own + s3 + limits : own + local + limits
        let values = Dictionary(uniqueKeysWithValues: settings.redacted().map { ($0.name, ($0.value, $0.source)) })
        let shown = Set(inForce.map(\.declaration.name))
        return (own + local + s3 + credentials + limits).map { option in
            let declaration = option.declaration
            let (text, source) = values[declaration.name] ?? ("", .absent)
            return StorageSetting(
                name: declaration.environment, aliases: declaration.aliases, description: declaration.help,
                isSet: source != .fallback && source != .absent,
                value: shown.contains(declaration.name) && !text.isEmpty ? text : nil)
        }
    }

    /// The interpreter for Parquet files, if there may be one.
    static func python(_ settings: Configuration) -> String? {
        settings[python] ?? settings[data].map { "\($0)/runtime/current/bin/python" }
    }

    /// The most bytes of an uploaded file.
    static func limit(_ settings: Configuration) -> Int { settings[limit] << 20 }

    static func lifetime(_ settings: Configuration) -> Duration { settings[lifetime] }

    /// The storage that is set up; nil when there is no folder for it. Nothing is asked of S3 yet: the platform starts
    /// without it, and what needs it says what is wrong.
    /// - Throws: `INVALID_CONFIGURATION` when the settings are none, and why the folder that is set cannot be made.
    static func storage(
        _ settings: Configuration, _ loop: EventLoop, _ logger: Logger
    ) throws(HarbourError) -> (any ObjectStorage)? {
        guard settings[backend] == "s3" else {
            if let folder = settings[folder] { return try LocalObjects(folder: folder) }
            guard let data = settings[data] else { return nil }
            // Nobody has asked for it: everything else is worth having without.
            do throws(HarbourError) { return try LocalObjects(folder: "\(data)/storage") } catch {
                logger.warning("files cannot be uploaded", ["error": HarbourError.describe(error)])
                return nil
            }
        }
        guard let bucket = settings[bucket] else {
            throw HarbourError(
                .invalidConfiguration,
                "Files shall be kept in S3, but no bucket is set. Set HARBOUR_WORKSPACE_S3_BUCKET.")
        }
        let location: S3Location
        do throws(HarbourError) {
            location = try S3Location(
                endpoint: settings[endpoint], region: settings[region], bucket: bucket,
                addressing: S3Location.Addressing(rawValue: settings[addressing]) ?? .automatic)
        } catch {
            throw HarbourError(.invalidConfiguration, error.message, cause: error)
        }
        return S3Objects(
            web: try WebClient(loop: loop), location: location, signer: signer(settings))
    }

    /// What signs the requests to S3.
    static func signer(_ settings: Configuration) -> AWSSigner {
        var token = settings[sessionToken]
        // A shell that is signed in to AWS has a token, which the key of another server does not go with.
        if case .environment("AWS_SESSION_TOKEN") = settings.source(of: sessionToken),
            settings.source(of: accessKey) != .environment("AWS_ACCESS_KEY_ID")
        {
            token = nil
        }
        return AWSSigner(
            accessKeyID: settings[accessKey], secretAccessKey: settings[secretKey],
            sessionToken: token?.isEmpty == true ? nil : token, region: settings[region])
    }
}
