/// What goes through when a service passes on pages that are not its own: only the fields that pages need, never
/// credentials, cookies or what belongs to one connection (RFC 9110 section 7.6.1).
public enum ProxiedFields {
    private static let asked = [
        "accept", "accept-encoding", "accept-language", "content-type", "if-modified-since", "if-none-match",
    ]
    private static let answered = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "etag",
        "expires",
        "last-modified", "location", "vary",
    ]

    /// The fields of a request that go on.
    public static func request(_ fields: HTTPFields) -> HTTPFields { pick(fields, asked) }

    /// The fields of a response that go back.
    public static func response(_ fields: HTTPFields) -> HTTPFields { pick(fields, answered) }

    private static func pick(_ fields: HTTPFields, _ names: [String]) -> HTTPFields {
        var picked = HTTPFields()
        for name in names { for value in fields.values(name) { picked.append(name, value) } }
        return picked
    }

    /// Where a redirect of a page's server leads as the reader sees it: below `base`, whatever host and scheme it names.
    public static func location(_ location: String, base: String) -> String {
        var path = Substring(location)
        for scheme in ["http://", "https://"] where path.hasPrefix(scheme) {
            path = path.dropFirst(scheme.count)
            path = path.firstIndex(of: "/").map { path[$0...] } ?? "/"
        }
        // A relative one stays where it is.
        guard path.hasPrefix("/"), !path.hasPrefix("//") else {
            return path.hasPrefix("//") ? base + "/" : String(path)
        }
        return path == base || path.hasPrefix("\(base)/") ? String(path) : base + path
    }
}
