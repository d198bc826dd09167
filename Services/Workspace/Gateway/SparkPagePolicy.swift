internal import Core
internal import HTTPMessage

/// What Spark's pages may do in a browser. They come from the driver, where whoever may run a command on the cluster
/// decides what they say, and they have the address of the platform: without this, a page that one user prepares could
/// ask the API with the session of another who looks at it.
///
/// Whatever comes back, of any type, runs in an origin of its own that is nobody's (the sandbox without
/// `allow-same-origin`): a browser sends no session with what it asks for, and keeps the platform's storage from it.
/// What its scripts may load and ask is held to the addresses of the cluster's own pages besides, so that a reader's
/// browser is no way into the reader's network either. Windows that it opens are held in the same way.
///
/// A browser follows redirects wherever on the same host they lead, whatever path the policy names (CSP level 3, section
/// 6.7.2.8), so those are looked at here.
struct SparkPagePolicy: Sendable {
    /// The beginnings of the addresses of the cluster's own pages, each with a slash at its end.
    let places: [String]
    /// Whether pages ask for more from an origin of their own, and are to be answered. Only where the address itself is
    /// the right to ask: then any page that knows it may.
    let answersPages: Bool

    /// Makes of an answer of Spark's one that may go to a browser: with the fields that pages need, and no others. So
    /// there are no cookies in it, nobody is let in by it, and it says nothing of the platform's own addresses.
    /// - Throws: `BAD_UPSTREAM_RESPONSE` for a redirect that leads away from the cluster's own pages.
    func apply(to response: inout HTTPResponse, of request: HTTPRequest) throws(HarbourError) {
        response.fields = ProxiedFields.response(response.fields)
        let locations = response.fields.values("location")
        if !locations.isEmpty || (300..<400).contains(response.status) && response.status != 304 {
            guard locations.count == 1, let target = target(of: locations[0], from: request.path) else {
                throw HarbourError(
                    .badGateway, "A page of Spark's leads to somewhere else than Spark's pages, which is not followed.")
            }
            response.fields["location"] = target
            // These would send the request's body and fields there once more.
            if [307, 308].contains(response.status) { response.status = 303 }
        }
        response.fields["content-security-policy"] = policy(authority: request.authority)
        response.fields["x-content-type-options"] = "nosniff"
        // The address of a page may be the right to read it.
        response.fields["referrer-policy"] = "no-referrer"
        response.fields["cross-origin-resource-policy"] = answersPages ? "cross-origin" : "same-origin"
        if answersPages { response.fields["access-control-allow-origin"] = "*" }
    }

    /// Where a redirect leads, as a path below one of the places; nil when it is not sure to be there.
    func target(of location: String, from path: String) -> String? {
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
        return SparkPagePolicy.isPlain(target) && places.contains { target.hasPrefix($0) }
            ? target + location[end...] : nil
    }

    /// Whether a path means what it says: nothing in it leads up, or is a slash in disguise.
    static func isPlain(_ path: String) -> Bool {
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        return parts.enumerated().allSatisfy { index, part in
            let text = part.lowercased()
            return (!part.isEmpty || index == parts.count - 1) && text != "." && text != ".."
                && !text.contains("%2e") && !text.contains("%2f") && !text.contains("%5c")
        }
    }

    /// A source of a host without a scheme has the page's own (CSP level 3, section 6.7.2.8).
    func policy(authority: String) -> String {
        let sources = places.map { authority + $0 }
        // What would begin another directive is none of a host or path that a browser sends.
        let isPlain = sources.joined().utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: ";") && byte != UInt8(ascii: ",")
                && byte != UInt8(ascii: "'")
        }
        let here = isPlain ? sources.joined(separator: " ") : "'none'"
        return [
            // Links into a new tab, the asking before a job is ended, and the fields above tables.
            "sandbox allow-scripts allow-popups allow-modals allow-forms", "default-src 'none'",
            "script-src \(here) 'unsafe-inline' 'unsafe-eval'", "style-src \(here) 'unsafe-inline'",
            "img-src \(here) data:", "font-src \(here) data:", "connect-src \(here)", "form-action \(here)",
            "frame-src 'none'", "worker-src 'none'", "base-uri 'none'", "frame-ancestors 'none'",
        ].joined(separator: "; ")
    }
}
