import Testing

@testable import ObjectStorage

@Suite("Addresses of buckets")
struct S3LocationTests {
    @Test(
        arguments: [
            ("http://127.0.0.1:9000", S3Location.Addressing.automatic, "http://127.0.0.1:9000/lake/objects/ab/k"),
            ("minio:9000", .automatic, "http://minio:9000/lake/objects/ab/k"),
            ("https://store.example/", .virtualHost, "https://lake.store.example/objects/ab/k"),
            (
                "https://s3.eu-central-1.amazonaws.com", .automatic,
                "https://lake.s3.eu-central-1.amazonaws.com/objects/ab/k"
            ),
            ("https://s3.eu-central-1.amazonaws.com", .path, "https://s3.eu-central-1.amazonaws.com/lake/objects/ab/k"),
            (nil, .automatic, "https://lake.s3.eu-west-1.amazonaws.com/objects/ab/k"),
        ] as [(String?, S3Location.Addressing, String)])
    func objectsAreWhereTheyShouldBe(_ endpoint: String?, _ addressing: S3Location.Addressing, _ url: String) throws {
        let location = try S3Location(
            endpoint: endpoint, region: "eu-west-1", bucket: "lake", addressing: addressing)
        #expect(location.url("objects/ab/k") == url)
    }

    @Test func theBucketItselfHasAnAddress() throws {
        let inPath = try S3Location(endpoint: "http://h:1", region: "r", bucket: "lake")
        #expect(inPath.url("", "uploads=") == "http://h:1/lake?uploads=")
        let inHost = try S3Location(endpoint: "http://h:1", region: "r", bucket: "lake", addressing: .virtualHost)
        #expect(inHost.url("", "uploads=") == "http://lake.h:1/?uploads=")
    }

    @Test(arguments: ["ftp://h", "http://", "http://h/path", "http://u@h"])
    func otherEndpointsAreRefused(_ endpoint: String) async {
        await Samples.expect("INVALID_PARAMETER_VALUE") {
            _ = try S3Location(endpoint: endpoint, region: "r", bucket: "lake")
        }
    }

    @Test(arguments: ["ab", "Upper", "a/b", "ü-bucket"])
    func otherBucketsAreRefused(_ bucket: String) async {
        await Samples.expect("INVALID_PARAMETER_VALUE") {
            _ = try S3Location(endpoint: "h:1", region: "r", bucket: bucket)
        }
    }

    @Test(arguments: ["short", "Capital-letters", "with/slash", "..--..--"])
    func otherKeysAreNone(_ text: String) { #expect(ObjectKey(text) == nil) }
}
