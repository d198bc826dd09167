internal import Core

/// Where a standalone master is: the address that drivers connect to, and the pages it serves.
///
/// With several masters (`spark://a:7077,b:7077`, one of them active by ZooKeeper) each has a page of its own.
struct MasterAddress: Sendable, Hashable {
    /// As Spark takes it: `spark://host:port[,host:port...]`.
    let url: String
    /// Host and port of each master; an IPv6 address without its brackets.
    let endpoints: [Endpoint]
    /// The base URLs of the masters' pages, which also answer in JSON.
    let pages: [String]
    /// The base URLs of their submission servers, which say what Spark they are.
    let submission: [String]

    struct Endpoint: Sendable, Hashable {
        var host: String
        var port: Int
    }

    /// Nil when the text is not such an address. `pages` and `submission` are lists with commas; by default they are
    /// at the ports that Spark chooses, 8080 and 6066.
    init?(_ text: String, pages: String?, submission: String?) {
        let prefix = "spark://"
        guard text.hasPrefix(prefix) else { return nil }
        var endpoints: [Endpoint] = []
        for part in text.dropFirst(prefix.count).split(separator: ",", omittingEmptySubsequences: false) {
            guard let endpoint = Endpoint(part) else { return nil }
            endpoints.append(endpoint)
        }
        url = text
        self.endpoints = endpoints
        self.pages = MasterAddress.list(pages) ?? endpoints.map { "http://\($0.urlHost):8080" }
        self.submission = MasterAddress.list(submission) ?? endpoints.map { "http://\($0.urlHost):6066" }
    }

    private static func list(_ text: String?) -> [String]? {
        guard let text else { return nil }
        return text.split(separator: ",").map { part in
            var part = part
            while part.last == "/" || part.last == " " { part.removeLast() }
            while part.first == " " { part.removeFirst() }
            return part.contains("://") ? String(part) : "http://\(part)"
        }
    }
}

extension MasterAddress.Endpoint {
    fileprivate init?(_ text: Substring) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") && host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        let isClean = host.utf8.allSatisfy { byte in byte > 0x20 && byte != UInt8(ascii: "/") && byte < 0x7f }
        guard !host.isEmpty, isClean else { return nil }
        self.init(host: String(host), port: port)
    }

    /// The host as a URL has it.
    var urlHost: String { host.contains(":") ? "[\(host)]" : host }
}
