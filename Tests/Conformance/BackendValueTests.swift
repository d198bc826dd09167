import ClusterBackend
import Core
import Testing

/// The values of the seam: what is safe as a name, what never shows, and what every driver is told.
@Suite struct BackendValueTests {
    @Test(arguments: ["a", "A-b_9", String(repeating: "x", count: 64)]) func takesNames(_ text: String) {
        #expect(ClusterIdentifier(text)?.text == text)
    }

    @Test(arguments: ["", "-a", "a/b", "..", "a b", "ä", "a\n", String(repeating: "x", count: 65)])
    func refusesWhatIsNoName(_ text: String) {
        #expect(ClusterIdentifier(text) == nil)
    }

    @Test func secretsDoNotShow() throws {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(DriverLaunch(executable: "/driver", token: secret), to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), String(reflecting: [secret]), dumped] {
            #expect(!text.contains("hunter2"))
        }
        #expect(secret.reveal() == "hunter2")
    }

    @Test func addressesAreUrls() {
        #expect(DriverAddress.unix(path: "/a/b").url == "unix:/a/b")
        #expect(DriverAddress.unix(path: "/a/b").unixPath == "/a/b")
        #expect(DriverAddress.http(host: "h", port: 1).url == "http://h:1")
        #expect(DriverAddress(parsing: "https://h:1") == .https(host: "h", port: 1))
        for text in ["", "unix:a", "ftp://h:1", "http://"] { #expect(DriverAddress(parsing: text) == nil) }
    }

    @Test func theStartProtocolWinsOverThePlatformAndThatOverTheUser() throws {
        let id = try #require(ClusterIdentifier("c1"))
        let request = ProvisionRequest(
            id: id,
            spec: BackendSpec(
                sparkConf: ["spark.a": "x\"y"],
                environment: ["A": "user", "B": "user", "HARBOUR_CLUSTER_ID": "forged"]),
            launch: DriverLaunch(executable: "/driver", environment: ["B": "platform"], token: Secret("t")))
        let place = DriverStart.Place(
            listen: .unix(path: "/s/driver.sock"), scratch: "/s", sparkMaster: "local[2]", memoryMiB: 700)
        let variables = DriverStart.environment(for: request, at: place, installation: "i1")
        #expect(variables["A"] == "user")
        #expect(variables["B"] == "platform")
        #expect(variables["HARBOUR_CLUSTER_ID"] == "c1")
        #expect(variables["HARBOUR_DRIVER_LISTEN"] == "unix:/s/driver.sock")
        #expect(variables["HARBOUR_DRIVER_MEMORY_MB"] == "700")
        #expect(!variables.values.contains("t"))
        let files = DriverStart.files(for: request)
        #expect(files.first { $0.name == "token" }?.content == Array("t".utf8))
        let conf = try #require(files.first { $0.name == "spark-conf.json" })
        #expect(try [String: String](json: conf.content) == ["spark.a": "x\"y"])
    }

    @Test func capabilitiesRefuseWhatTheyDoNotHold() throws {
        let capabilities = Capabilities([.recovery], maximumWorkers: 0, maximumCores: 4, maximumMemoryMiB: 4096)
        #expect(throws: HarbourError.self) { try capabilities.require(.resize, of: "x") }
        try capabilities.require(.recovery, of: "x")
        var spec = BackendSpec(workers: 1, image: "i")
        #expect(capabilities.problems(of: spec).map(\.field) == ["num_workers", "image"])
        spec = BackendSpec(driver: NodeSize(cores: 5, memoryMiB: 8192), worker: NodeSize(cores: 0, memoryMiB: 1))
        #expect(
            capabilities.problems(of: spec).map(\.field) == [
                "driver_cores", "driver_memory_mb", "worker_cores", "worker_memory_mb",
            ])
        do throws(HarbourError) {
            try capabilities.problems(of: spec).throwIfAny()
            Issue.record("should throw")
        } catch {
            #expect(error.code == .invalidParameter)
        }
    }

    @Test func reservedVariablesAreTheirs() {
        for name in ["HARBOUR_ANYTHING", "LD_PRELOAD"] { #expect(DriverStart.isReserved(name)) }
        for name in ["9A", "A-B", "", "A=B"] { #expect(!DriverStart.isEnvironmentName(name)) }
        for name in ["A", "_a9"] { #expect(DriverStart.isEnvironmentName(name)) }
    }
}
