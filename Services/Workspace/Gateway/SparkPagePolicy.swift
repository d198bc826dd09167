internal import HTTPMessage

/// What Spark's pages may do in a browser. They come from the driver, where whoever may run a command on the cluster
/// decides what they say, and they have the platform's own origin: without this, a page that one user prepares could ask
/// the API with the session of another who looks at it.
///
/// They keep the origin, because Spark's pages ask Spark for their figures with the reader's session. But what their
/// scripts may load, ask and send is held to the addresses below the cluster's own pages, and the sandbox lets them open
/// no other window or frame whose scripts would not be held so.
enum SparkPagePolicy {
    static func apply(to response: inout HTTPResponse, of request: HTTPRequest, pages: String) {
        let path = request.path
        // The pages of this one cluster, as the browser asked for them.
        let end = path.firstRange(of: "/\(pages)/")?.upperBound ?? path.endIndex
        let place = path[..<end]
        response.fields["content-security-policy"] = policy(source: "\(request.authority)\(place)")
        response.fields["x-content-type-options"] = "nosniff"
        response.fields["referrer-policy"] = "no-referrer"
        response.fields["cross-origin-opener-policy"] = "same-origin"
        response.fields["cross-origin-resource-policy"] = "same-origin"
    }

    /// A source of a host without a scheme has the page's own (CSP level 3, section 6.7.2.8).
    static func policy(source: String) -> String {
        // What would begin another directive is none of a host or path that a browser sends.
        let isPlain = source.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: ";") && byte != UInt8(ascii: ",")
                && byte != UInt8(ascii: "'")
        }
        let here = isPlain ? source : "'none'"
        return [
            "sandbox allow-scripts allow-same-origin allow-forms", "default-src 'none'",
            "script-src \(here) 'unsafe-inline' 'unsafe-eval'", "style-src \(here) 'unsafe-inline'",
            "img-src \(here) data:", "font-src \(here) data:", "connect-src \(here)", "form-action \(here)",
            "frame-src 'none'", "worker-src 'none'", "base-uri 'none'", "frame-ancestors 'none'",
        ].joined(separator: "; ")
    }
}
