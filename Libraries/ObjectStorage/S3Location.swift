public import Core
internal import HTTPMessage

/// A bucket as the operator has set it.
public struct S3Location: Sendable, Hashable {
    /// Where the name of the bucket stands.
    public enum Addressing: String, Sendable, Hashable, CaseIterable {
        /// In the host for AWS, in the path for all others.
        case automatic = "auto"
        /// In the path: `https://host/bucket/key`.
        case path
        /// In the host: `https://bucket.host/key`.
        case virtualHost = "virtual-host"
    }

    /// Scheme, host and port, or nil for the AWS endpoint of the region.
    let origin: String
    let host: String
    /// The bucket's name.
    public let bucket: String
    /// The region it is in.
    let region: String
    private let isInHost: Bool

    /// Checks what was set.
    /// - Parameters:
    ///   - endpoint: `https://host:port`, or `host:port` as MinIO's clients have it, which is then without TLS; nil for
    ///     AWS in that region.
    ///   - region: such as `eu-central-1`.
    ///   - bucket: must be there already.
    ///   - addressing: where the bucket's name stands.
    /// - Throws: `INVALID_CONFIGURATION`-like refusals as `INVALID_PARAMETER_VALUE`, saying what is wrong.
    public init(
        endpoint: String?, region: String, bucket: String, addressing: Addressing = .automatic
    ) throws(HarbourError) {
        guard (3...63).contains(bucket.utf8.count),
            bucket.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == UInt8(ascii: "-")
                    || $0 == UInt8(ascii: ".")
            })
        else {
            throw HarbourError(
                .invalidParameter,
                "The bucket of the object storage must have 3 to 63 lower-case letters, digits, dots and dashes.")
        }
        let given = endpoint ?? "https://s3.\(region).amazonaws.com"
        var text = given.contains("://") ? given : "http://\(given)"
        while text.hasSuffix("/") { text.removeLast() }
        let parts = text.firstRange(of: "://").map { (String(text[..<$0.lowerBound]), String(text[$0.upperBound...])) }
        guard let (scheme, authority) = parts, ["http", "https"].contains(scheme), !authority.isEmpty,
            !authority.contains(where: { "/?#@ ".contains($0) })
        else {
            throw HarbourError(
                .invalidParameter,
                "The endpoint of the object storage must be like https://s3.example.com:9000, without a path.")
        }
        origin = "\(scheme)://"
        host = authority
        self.bucket = bucket
        self.region = region
        isInHost =
            switch addressing {
            case .path: false
            case .virtualHost: true
            case .automatic: authority.hasSuffix(".amazonaws.com") && !bucket.contains(".")
            }
    }

    /// The address of an object, or of the bucket when there is none.
    func url(_ path: String = "", _ query: String = "") -> String {
        let base = isInHost ? "\(origin)\(bucket).\(host)/" : "\(origin)\(host)/\(bucket)/"
        // A bucket in the path has no slash at its end, or it would be an object without a name.
        let place = path.isEmpty && !isInHost ? String(base.dropLast()) : base + path
        return query.isEmpty ? place : "\(place)?\(query)"
    }
}
