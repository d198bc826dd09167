import Core
import Glibc
import HTTPMessage
import TestSupport
import Testing

@testable import WebClient

@Suite struct AddressPolicyTests {
    @Test(arguments: [
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fc00::1",
        "fd12::1",
        "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "[::1]", "0x7f.1", "2130706433", "0177.0.0.1", "127.1",
    ])
    func insideAddressesAreRefused(text: String) throws {
        #expect(!AddressPolicy.outside().allows(try #require(IPAddress(text))))
        #expect(AddressPolicy.any.allows(try #require(IPAddress(text))))
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "192.167.0.1", "100.63.0.1", "100.128.0.1", "126.255.255.255",
        "128.0.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
    ])
    func addressesOfTheInternetAreAllowed(text: String) throws {
        #expect(AddressPolicy.outside().allows(try #require(IPAddress(text))))
    }

    @Test func networksOpenTheWay() throws {
        let policy = AddressPolicy.outside(allowing: try IPNetwork.list("10.1.0.0/16, fd00:1::/32 127.0.0.1"))
        for text in ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "127.0.0.1"] {
            #expect(policy.allows(try #require(IPAddress(text))), "\(text)")
        }
        for text in ["10.2.0.1", "fd00:2::5", "127.0.0.2", "::1"] {
            #expect(!policy.allows(try #require(IPAddress(text))), "\(text)")
        }
        for text in ["10.0.0.0/33", "10.0.0.0/-1", "localhost", "10.0.0.0/x", "::/129"] {
            #expect(throws: HarbourError.self, "\(text)") { try IPNetwork(text) }
        }
        #expect(IPAddress("example.org") == nil)
        #expect(IPAddress("") == nil)
    }

    /// What is refused is never connected to, whatever it is called: the peer hears nothing.
    @Test func aGuardedClientDoesNotReachThisMachine() async throws {
        try await withPeer { peer, client, loop in
            var configuration = direct { $0.addresses = .outside() }
            let guarded = try WebClient(loop: loop, configuration: configuration)
            let port = try #require(peer.url("/").split(separator: ":").last).prefix { $0.isNumber }
            let written = [
                "127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "2130706433", "0x7f.1", "user@127.0.0.1", "0",
            ]
            for host in written + insideNames() {
                let error = await #expect(throws: HarbourError.self, "\(host)") {
                    try await guarded.send(WebRequest(url: "http://\(host):\(port)/200"))
                }
                #expect(error?.code == .addressNotAllowed, "\(host): \(error?.message ?? "")")
            }
            configuration.addresses = .outside(allowing: [try IPNetwork("127.0.0.0/8")])
            let allowed = try WebClient(loop: loop, configuration: configuration)
            #expect(try await allowed.send(WebRequest(url: "http://127.0.0.1:\(port)/200")).status == 200)
            #expect(try await allowed.send(WebRequest(url: "http://localhost:\(port)/200")).status == 200)
            _ = client
        }
    }

    /// A proxy for other schemes is none for this one, and takes nothing from the guard. Not by the environment itself,
    /// which all tests and the programs that they start share.
    @Test func aProxyOfAnotherSchemeOpensNothing() {
        func isUsed(_ url: String, _ variables: [String: String]) -> Bool {
            WebClientConfiguration.Proxy.environment.isUsed(for: url) { variables[$0] }
        }
        for name in ["https_proxy", "HTTPS_PROXY", "HTTP_PROXY"] {
            #expect(!isUsed("http://inside/", [name: "http://proxy:1"]), "\(name)")
        }
        #expect(!isUsed("https://inside/", ["http_proxy": "http://proxy:1", "https_proxy": ""]))
        #expect(isUsed("HTTPS://outside/", ["https_proxy": "http://proxy:1"]))
        #expect(isUsed("http://outside/", ["http_proxy": "http://proxy:1"]))
        for url in ["http://outside/", "https://outside/"] {
            #expect(isUsed(url, ["all_proxy": "http://proxy:1"]))
            #expect(!isUsed(url, [:]))
        }
    }

    /// An address in escapes would be one to a proxy only.
    @Test func escapesInTheHostAreRefused() async throws {
        try await withEventLoop { loop in
            var configuration = WebClientConfiguration()
            configuration.addresses = .outside()
            let guarded = try WebClient(loop: loop, configuration: configuration)
            let error = await #expect(throws: HarbourError.self) {
                try await guarded.send(WebRequest(url: "http://127%2e0%2e0%2e1/200"))
            }
            #expect(error?.code == .addressNotAllowed)
        }
    }

    /// Names that only a look-up shows to be inside.
    private func insideNames() -> [String] {
        guard let file = fopen("/etc/hosts", "r") else { return [] }
        defer { fclose(file) }
        var names: [String] = []
        var line = [CChar](repeating: 0, count: 1000)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let words = text.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let address = words.first.flatMap({ IPAddress($0) }), !AddressPolicy.outside().allows(address) else {
                continue
            }
            names += words.dropFirst().filter { !$0.contains("localhost") || $0.hasPrefix("ip6-") }
        }
        return names.filter { !$0.hasSuffix("allnodes") && !$0.hasSuffix("allrouters") }
    }
}
