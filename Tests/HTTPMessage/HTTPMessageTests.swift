import Core
import HTTPMessage
import Testing

@Suite struct HTTPFieldsTests {
    @Test func namesAreComparedWithoutCase() {
        var fields: HTTPFields = ["Content-Type": "text/html", "X-A": "1"]
        fields.append("x-a", "2")
        #expect(fields["CONTENT-TYPE"] == "text/html")
        #expect(fields.values("X-a") == ["1", "2"])
        #expect(fields.combined("x-a") == "1, 2")
        #expect(fields.map { $0.name } == ["content-type", "x-a", "x-a"])
        fields["x-A"] = "3"
        #expect(fields.values("x-a") == ["3"])
        fields["x-a"] = nil
        #expect(!fields.contains("x-a"))
    }

    @Test func textFromOutsideCannotBeginAFieldOfItsOwn() {
        var fields = HTTPFields()
        fields.append("bad name:", "  a\r\nset-cookie: b\u{0}\t")
        #expect(fields.map { $0.name } == ["bad_name_"])
        #expect(fields["bad_name_"] == "a  set-cookie: b")
    }

    @Test func copiesAreIndependent() {
        var first: HTTPFields = ["a": "1"]
        let second = first
        first["a"] = "2"
        #expect(second["a"] == "1")
        #expect(first != second)
    }

    @Test func credentialsDoNotReachLogs() {
        let fields: HTTPFields = ["authorization": "Bearer secret"]
        #expect(!fields.description.contains("secret"))
    }
}

@Suite struct HTTPRequestTests {
    @Test func targetIsSplitAtTheFirstQuestionMark() {
        let request = HTTPRequest(target: "/a%20b/c?x=1&y=a%2Bb+c&x=2&bad=%zz&flag")
        #expect(request.path == "/a%20b/c")
        #expect(request.query == "x=1&y=a%2Bb+c&x=2&bad=%zz&flag")
        #expect(request.queryValue("x") == "1")
        #expect(request.queryValue("y") == "a+b c")
        #expect(request.queryValue("bad") == nil)
        #expect(request.queryValue("flag")?.isEmpty == true)
        #expect(HTTPRequest(target: "/a").query == nil)
    }

    @Test func attributesAreFoundByType() {
        let request = HTTPRequest(target: "/")
        request.attributes[String.self] = "user"
        request.attributes[Int.self] = 3
        request.attributes[String.self] = "other"
        #expect(request.attributes[String.self] == "other")
        #expect(request.attributes[Int.self] == 3)
        #expect(request.attributes[Double.self] == nil)
    }

    @Test func traceIsTheCallersOrANewOne() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let request = HTTPRequest(target: "/", fields: ["traceparent": header])
        #expect(request.trace.traceparent == header)
        #expect(request.trace.child().traceID == request.trace.traceID)
        let fresh = HTTPRequest(target: "/")
        #expect(fresh.trace == fresh.trace)
        for bad in [
            "", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", header + "-x",
        ] {
            #expect(TraceContext(traceparent: bad) == nil)
        }
        #expect(TraceContext(traceparent: "01" + header.dropFirst(2) + "-more") != nil)
    }
}

@Suite struct HTTPPartsTests {
    @Test func methodsRoundTrip() {
        for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "BREW", "get"] {
            #expect(HTTPMethod(name).name == name)
        }
        #expect(HTTPMethod("get") != .get)
        #expect(HTTPMethod.put.isIdempotent)
        #expect(!HTTPMethod.post.isIdempotent)
    }

    @Test func datesRoundTrip() {
        let time = Timestamp(milliseconds: 784_111_777_000)
        #expect(HTTPDate.format(time) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.parse("Sun, 06 Nov 1994 08:49:37 GMT") == time)
        #expect(HTTPDate.parse("Sunday, 06-Nov-94 08:49:37 GMT") == nil)
        #expect(HTTPDate.parse("Sun, 06 Nov 1994 08:49:3x GMT") == nil)
    }

    @Test func percentEncodingRoundTrips() {
        #expect(PercentEncoding.encode("a b/ü") == "a%20b%2F%C3%BC")
        #expect(PercentEncoding.decode("a%20b%2F%C3%BC") == "a b/ü")
        #expect(PercentEncoding.decode("%") == nil)
        #expect(PercentEncoding.decode("%4") == nil)
        #expect(PercentEncoding.decode("%ff") == nil)
    }

    @Test func errorsHaveTheGrammarAndHideTheDetail() {
        let error = HarbourError(.notFound, "There is no \"x\".\n", detail: "secret")
        let response = HTTPResponse.error(error, requestID: "r1")
        guard case .bytes(let bytes) = response.body else {
            Issue.record("no body")
            return
        }
        #expect(response.status == 404)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"There is no \"x\".\u000a","request_id":"r1"}"#)
    }

    @Test func bodiesAreLimited() async throws {
        let body = HTTPBody([1, 2, 3])
        #expect(try await body.collect(limit: 3) == [1, 2, 3])
        let error = await #expect(throws: HarbourError.self) { try await body.collect(limit: 2) }
        #expect(error?.code == .tooLarge)
        var chunks: [[UInt8]] = []
        for try await chunk in body { chunks.append(chunk) }
        #expect(chunks == [[1, 2, 3]])
    }
}
