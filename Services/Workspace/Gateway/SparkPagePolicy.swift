internal import Core
internal import HTTPMessage

/// What Spark's pages may do in a browser. They come from the driver, where whoever may run a command on the cluster
/// decides what they say, and they have the platform's own origin: without this, a page that one user prepares could ask
/// the API with the session of another who looks at it.
///
/// They keep the origin, because Spark's pages ask Spark for their figures with the reader's session. But what their
/// scripts may load, ask and send is held to the addresses below the cluster's own pages, and the sandbox lets them open
/// no other window or frame whose scripts would not be held so.
///
/// A browser follows redirects wherever on the same host they lead, whatever path the policy names (CSP level 3, section
/// 6.7.2.8), so those are looked at here.
enum SparkPagePolicy {
    /// - Throws: `BAD_UPSTREAM_RESPONSE` for a redirect that leads away from the cluster's own pages.
    static func apply(
        to response: inout HTTPResponse, of request: HTTPRequest, pages: String
    ) throws(HarbourError) {
        let path = request.path
        // The pages of this one cluster, as the browser asked for them.
        let end = path.firstRange(of: "/\(pages)/")?.upperBound ?? path.endIndex
        let place = String(path[..<end])
        let locations = response.fields.values("location")
        if !locations.isEmpty || (300..<400).contains(response.status) && response.status != 304 {
            guard locations.count == 1, let target = target(of: locations[0], from: path, below: place) else {
                throw HarbourError(
                    .badGateway, "A page of Spark's leads to somewhere else than Spark's pages, which is not followed.")
            }
            response.fields["location"] = target
            // These would send the request's body and fields there once more.
            if [307, 308].contains(response.status) { response.status = 303 }
        }
        response.fields["content-security-policy"] = policy(source: "\(request.authority)\(place)")
        response.fields["x-content-type-options"] = "nosniff"
        response.fields["referrer-policy"] = "no-referrer"
        response.fields["cross-origin-opener-policy"] = "same-origin"
        response.fields["cross-origin-resource-policy"] = "same-origin"
    }

    /// Where a redirect leads, as a path below the place; nil when it is not sure to be there.
    static func target(of location: String, from path: String, below place: String) -> String? {
        // Browsers read a backslash as a slash, and drop tabs and line ends.
        guard location.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }) else { return nil }
        let end = location.firstIndex { $0 == "?" || $0 == "#" } ?? location.endIndex
        var target = String(location[..<end])
        if target.isEmpty {
            target = path
        } else if !target.hasPrefix("/") {
            // Before the first slash a colon would end a scheme.
            guard !target.prefix(while: { $0 != "/" }).contains(":") else { return nil }
            target = String(path[...(path.lastIndex(of: "/") ?? path.startIndex)]) + target
        }
        let parts = target.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.enumerated().allSatisfy { index, part in
            let text = part.lowercased()
            return (!part.isEmpty || index == parts.count - 1) && text != "." && text != ".."
                && !text.contains("%2e") && !text.contains("%2f") && !text.contains("%5c")
        }
        return isPlain && target.hasPrefix(place) ? target + location[end...] : nil
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
