import Core
import TestSupport
import Testing

/// `deploy/.env.example` and the programs that it is about.
@Suite struct EnvironmentExampleTests {
    private static let services = PlatformUnderTest.services + ["driver"]
    private static let example = readFile("\(TestInstallation.root)/deploy/.env.example")

    /// When it fails: run `deploy/env-example` and check the file in.
    @Test func itIsUpToDate() throws {
        try runCommand(["\(TestInstallation.root)/deploy/env-example", "--check", TestInstallation.binaries])
    }

    /// One file may serve all services, whatever of it is filled in.
    @Test func everyServiceTakesAFileWithAllOfThem() throws {
        var keys: [String] = []
        for line in EnvironmentExampleTests.example.split(separator: "\n") {
            if let names = line.split(separator: "Also understood: ", maxSplits: 1).last, line.hasPrefix("# Also") {
                keys += names.split(separator: ", ").map(String.init)
            } else if line.hasPrefix("#HARBOUR_"), let equals = line.firstIndex(of: "=") {
                keys.append(String(line[line.index(after: line.startIndex)..<equals]))
            }
        }
        #expect(keys.count > 80)
        let folder = try TemporaryDirectory()
        let file = try folder.write("all", Array(keys.map { "\($0)=\n" }.joined().utf8))
        for service in EnvironmentExampleTests.services {
            let error = #expect(throws: HarbourError.self) {
                try runCommand(["\(TestInstallation.binaries)/\(service)", "--config", file, "--nothing-of-the-kind"])
            }
            let message = error?.message ?? ""
            #expect(message.contains("--nothing-of-the-kind is not a setting"))
            #expect(!message.contains("is not a setting of"), "\(message)")
        }
    }

    /// The names that compose files of such platforms use already.
    @Test(arguments: [
        "DATABASE_URL", "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB",
        "SPARK_MASTER_URL", "SECRET_KEY", "AIRFLOW_BASE_URL", "AIRFLOW_USERNAME", "AIRFLOW_PASSWORD",
    ])
    func itNamesWhatOthersCallTheSame(name: String) {
        let lines = EnvironmentExampleTests.example.split(separator: "\n").filter {
            $0.hasPrefix("# Also understood: ")
        }
        #expect(lines.contains { $0.split { $0 == " " || $0 == "," }.contains(Substring(name)) })
    }
}
