internal import Configuration
internal import Core
internal import WebClient

/// Where the object storage is that jobs wait for files in.
enum ObjectStorageSettings {
    private static let endpoint = Option<String>.string(
        "s3-endpoint", environment: "HARBOUR_SCHEDULER_S3_ENDPOINT", aliases: ["S3_ENDPOINT"],
        help: "Where the object storage of file arrival triggers is, such as https://s3.eu-central-1.amazonaws.com."
    ).optional()
    private static let region = Option<String>.string(
        "s3-region", environment: "HARBOUR_SCHEDULER_S3_REGION", aliases: ["S3_REGION", "AWS_REGION"],
        default: "us-east-1", help: "The region of the object storage.")
    private static let accessKey = Option<String>.string(
        "s3-access-key", environment: "HARBOUR_SCHEDULER_S3_ACCESS_KEY",
        aliases: ["S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"],
        default: "", help: "Who we are in the object storage.")
    private static let secretKey = Option<String>.string(
        "s3-secret-key", environment: "HARBOUR_SCHEDULER_S3_SECRET_KEY",
        aliases: ["S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"], default: "", secret: true,
        help: "Our secret in the object storage.")
    private static let sessionToken = Option<String>.string(
        "s3-session-token", environment: "HARBOUR_SCHEDULER_S3_SESSION_TOKEN",
        aliases: ["S3_SESSION_TOKEN", "AWS_SESSION_TOKEN"], secret: true,
        help: "What comes with a temporary key there; AWS_SESSION_TOKEN goes with AWS_ACCESS_KEY_ID only."
    ).optional()
    private static let interval = Option<Int>.integer(
        "file-interval-seconds", in: 1...86_400, environment: "HARBOUR_SCHEDULER_FILE_INTERVAL_SECONDS", default: "60",
        help: "How often the object storage is listed for new files; folders tell of theirs at once.")

    private static let roots = Option<String>.string(
        "file-roots", environment: "HARBOUR_SCHEDULER_FILE_ROOTS", default: "",
        help: "The folders that jobs may wait for files in, with all below them, such as /data/in:/srv/drop.")

    static let all: [any AnyOption] = [roots, endpoint, region, accessKey, secretKey, sessionToken, interval]

    /// Sets what the engine has of it.
    static func apply(_ configuration: Configuration, _ web: WebClient, to context: inout EngineContext) {
        context.fileRoots = configuration[roots].split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
        context.fileInterval = .seconds(configuration[interval])
        context.objects = configuration[endpoint].map { endpoint in
            S3Store(
                web: web, endpoint: endpoint, signer: signer(configuration))
        }
    }

    /// What signs the requests to the object storage.
    static func signer(_ configuration: Configuration) -> AWSSigner {
        var token = configuration[sessionToken]
        // A shell that is signed in to AWS has a token, which the key of another server does not go with.
        if case .environment("AWS_SESSION_TOKEN") = configuration.source(of: sessionToken),
            configuration.source(of: accessKey) != .environment("AWS_ACCESS_KEY_ID")
        {
            token = nil
        }
        return AWSSigner(
            accessKeyID: configuration[accessKey], secretAccessKey: configuration[secretKey],
            sessionToken: token?.isEmpty == true ? nil : token, region: configuration[region])
    }
}
