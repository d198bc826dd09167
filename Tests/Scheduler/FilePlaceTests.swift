import Core
import TestSupport
import Testing

@testable import SchedulerService

@Suite struct FilePlaceTests {
    @Test func placesAreFoldersAndPrefixes() throws {
        #expect(try FilePlace("/data/in/") == .folder("/data/in"))
        #expect(try FilePlace("file:///data/in") == .folder("/data/in"))
        #expect(try FilePlace("s3://lake/in/day=1/") == .objects(bucket: "lake", prefix: "in/day=1/"))
        #expect(try FilePlace("s3://lake") == .objects(bucket: "lake", prefix: ""))
        for url in [
            "", "/", "data/in", "/data/../etc", "s3://", "s3:///in", "s3://a?b/in", "https://host/in", "file://in",
        ] {
            #expect(throws: HarbourError.self, "\(url)") { try FilePlace(url) }
        }
    }

    @Test func filesWaitForQuietAndForTheLeastTime() {
        let now = Timestamp(milliseconds: 1_000_000)
        func decide(_ waiting: Int, changed: Int64?, fired: Int64?, least: Int64 = 0, quiet: Int64 = 0)
            -> ArrivalDecision
        {
            ArrivalDecision(
                waiting: waiting, lastChange: changed.map { Timestamp(milliseconds: 1_000_000 - $0) },
                lastFire: fired.map { Timestamp(milliseconds: 1_000_000 - $0) }, least: least, quiet: quiet, now: now)
        }
        #expect(decide(0, changed: 0, fired: nil) == .nothing)
        #expect(decide(1, changed: 0, fired: nil) == .fire)
        #expect(decide(1, changed: 0, fired: nil, quiet: 500) == .wait(Timestamp(milliseconds: 1_000_500)))
        #expect(decide(1, changed: 499, fired: nil, quiet: 500) == .wait(Timestamp(milliseconds: 1_000_001)))
        #expect(decide(1, changed: 500, fired: nil, quiet: 500) == .fire)
        #expect(decide(2, changed: 0, fired: 100, least: 1000) == .wait(Timestamp(milliseconds: 1_000_900)))
        #expect(
            decide(2, changed: 0, fired: 100, least: 1000, quiet: 2000) == .wait(Timestamp(milliseconds: 1_002_000)))
        #expect(decide(2, changed: 3000, fired: 1000, least: 1000, quiet: 2000) == .fire)
    }
}

@Suite struct S3PageTests {
    private static let page = """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lake</Name><Prefix>in%2F</Prefix>
        <KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b&#x2f;c</NextContinuationToken>
        <Contents><Key>in/a%20b%2Bc+d</Key><LastModified>2026-11-21T04:05:06.789Z</LastModified><ETag>&quot;e1&quot;</ETag>
        <Size>12</Size><StorageClass>STANDARD</StorageClass></Contents>
        <Contents><Key>in/%C3%A9</Key><LastModified>2026-11-21T04:05:06Z</LastModified><ETag>"e2"</ETag><Size>0</Size></Contents>
        <CommonPrefixes><Prefix>x</Prefix></CommonPrefixes></ListBucketResult>
        """

    @Test func aPageIsRead() throws {
        let page = try S3Page(Self.page)
        #expect(page.nextToken == "a&b/c")
        #expect(page.files.map(\.path) == ["in/a b+c d", "in/é"])
        #expect(page.files.map(\.version) == ["\"e1\"-12-1795233906789", "\"e2\"-0-1795233906000"])
        #expect(
            page.files.map { ISO8601.format($0.changedAt) } == ["2026-11-21T04:05:06.789Z", "2026-11-21T04:05:06.999Z"])
        #expect(try S3Page("<ListBucketResult></ListBucketResult>").files.isEmpty)
    }

    @Test(arguments: [
        "", "<html></html>", "<Error><Code>x</Code></Error>", "<ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>%zz</Key><LastModified>2026-11-21T04:05:06Z</LastModified></Contents></ListBucketResult>",
    ])
    func whatIsNoListingIsRefused(text: String) { #expect(throws: HarbourError.self) { try S3Page(text) } }

    @Test func bentPagesAreReadOrRefused() throws {
        let tokens = [
            "<Contents>", "</Contents>", "<Key>", "</Key>", "&#x0;", "&#99999999;", "&", "%", "<", ">", "2026-",
        ]
        try fuzz(
            "s3-pages", corpus: [Array(Self.page.utf8)], tokens: tokens.map { Array($0.utf8) }, iterations: 5000
        ) { input in _ = try? S3Page(String(decoding: input.bytes, as: UTF8.self)) }
    }
}
