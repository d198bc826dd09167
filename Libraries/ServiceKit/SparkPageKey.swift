public import Core
internal import Cryptography

/// The key to Spark's own pages. They listen on loopback, where every user of the machine could look; so Spark is told
/// to ask for a token that only the driver can make (`org.apache.spark.ui.JWSFilter`: RFC 7515, HS256).
public struct SparkPageKey: Sendable {
    private static let filter = "org.apache.spark.ui.JWSFilter"
    private let key = SystemRandom.bytes(32)

    /// Makes a new key.
    public init() {}

    /// What Spark has to know.
    public var sparkConf: [String: String] {
        [
            "spark.ui.filters": SparkPageKey.filter,
            "spark.\(SparkPageKey.filter).param.secretKey": Base64.encode(key, .url),
        ]
    }

    /// The value of an `authorization` field that opens the pages for a minute.
    public func authorization(at now: Timestamp = .now) -> String {
        let header: JSONObject = ["alg": "HS256", "typ": "JWT"]
        let claims: JSONObject = ["sub": "dataharbour", "exp": .integer(now.milliseconds / 1000 + 60)]
        let signed = [header, claims].map { Base64.encode($0.encodedJSON(), .url) }.joined(separator: ".")
        let signature = HMAC.sha256(key: key, Array(signed.utf8))
        return "Bearer \(signed).\(Base64.encode(signature, .url))"
    }
}
