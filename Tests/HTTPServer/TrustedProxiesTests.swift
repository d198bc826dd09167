import Core
import HTTPMessage
import Testing

@testable import HTTPServer

/// Who asks, when reverse proxies stand between.
@Suite struct TrustedProxiesTests {
    private func client(
        _ peer: String, forwarded: [String], proto: String? = nil, isSecure: Bool = false,
        proxies: String = "10.0.0.0/8,fd00::/8"
    ) throws -> HTTPPeer {
        var fields = HTTPFields()
        for value in forwarded { fields.append("x-forwarded-for", value) }
        if let proto { fields.append("x-forwarded-proto", proto) }
        let trusted = TrustedProxies(try IPNetwork.list(proxies))
        return trusted.client(
            of: HTTPRequest(target: "/", fields: fields), over: HTTPPeer(description: peer, isSecure: isSecure))
    }

    @Test(arguments: [
        // Connection, what the proxies say, who asks.
        ("10.0.0.1:5000", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1:5000", ["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1:5000", ["192.0.2.7", "10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1:5000", ["192.0.2.7:1234"], "192.0.2.7"),
        ("10.0.0.1:5000", ["[2001:db8::1]:1234"], "2001:db8::1"),
        ("10.0.0.1:5000", ["2001:db8:0::1"], "2001:db8::1"),
        ("[fd00::1]:5000", ["192.0.2.7"], "192.0.2.7"),
        ("[::ffff:10.0.0.1]:5000", ["192.0.2.7"], "192.0.2.7"),
        ("unix", ["192.0.2.7"], "192.0.2.7"),
        // All are proxies: the first of them asks.
        ("10.0.0.1:5000", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        // The client's own claims stand before what the proxy has seen.
        ("10.0.0.1:5000", ["127.0.0.1, 198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1:5000", ["10.0.0.9, 198.51.100.9, 10.0.0.2"], "198.51.100.9"),
        // What cannot be read ends the chain.
        ("10.0.0.1:5000", ["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1:5000", ["unknown"], "10.0.0.1:5000"),
        ("10.0.0.1:5000", [""], "10.0.0.1:5000"),
        ("10.0.0.1:5000", [], "10.0.0.1:5000"),
        // Nobody else is believed.
        ("192.0.2.1:5000", ["127.0.0.1"], "192.0.2.1:5000"),
        ("none", ["127.0.0.1"], "none"),
    ])
    func theLastAddressThatIsNoProxyAsks(_ peer: String, _ forwarded: [String], _ expected: String) throws {
        #expect(try client(peer, forwarded: forwarded).description == expected)
    }

    @Test func aLongChainIsNotFollowedForEver() throws {
        let chain = (["192.0.2.7"] + [String](repeating: "10.0.0.2", count: 40)).joined(separator: ", ")
        #expect(try client("10.0.0.1:1", forwarded: [chain]).description == "10.0.0.2")
    }

    @Test func theProxySaysWhetherTheConnectionIsEncrypted() throws {
        #expect(try client("10.0.0.1:1", forwarded: [], proto: "https").isSecure)
        #expect(try !client("10.0.0.1:1", forwarded: [], proto: "http", isSecure: true).isSecure)
        #expect(try client("10.0.0.1:1", forwarded: [], isSecure: true).isSecure)
        #expect(try !client("192.0.2.1:1", forwarded: [], proto: "https").isSecure)
    }

    @Test func anAddressHasNoPort() throws {
        #expect(HTTPPeer(description: "192.0.2.1:80").address == "192.0.2.1")
        #expect(HTTPPeer(description: "[2001:db8::1]:80").address == "2001:db8::1")
        #expect(HTTPPeer(description: "2001:db8::1").address == "2001:db8::1")
        #expect(HTTPPeer(description: "unix").address == "unix")
    }
}
