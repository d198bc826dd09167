import ClusterBackendConformance
import Core
import EventLoop
import Glibc
import TestSupport
import Testing

/// `Plugins/README.md` walks through a backend. Here it is built from the page, word for word, with the modules that this
/// test was built with, and holds the exam.
@Suite(.enabled(if: !isSanitized, "Sanitized objects do not link with plain ones."), .timeLimit(.minutes(10)))
struct WalkThroughTests {
    private static let top = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    /// The blocks of code on the page, by what stands behind `swift`; those of one name are one file.
    private func blocks() -> [String: String] {
        let page = String(decoding: contents("\(WalkThroughTests.top)/Plugins/README.md"), as: UTF8.self)
        var blocks: [String: String] = [:]
        var name: Substring?
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            // The code is indented by three spaces, as part of a list.
            let text = line.hasPrefix("   ") ? line.dropFirst(3) : line
            if text.hasPrefix("```") {
                name = name == nil && text.hasPrefix("```swift ") ? text.dropFirst(9) : nil
            } else if let name {
                blocks[String(name), default: ""] += text + "\n"
            }
        }
        return blocks
    }

    @Test func theBackendOnThePagePassesTheExam() async throws {
        let blocks = blocks()
        let source = try #require(blocks["Plugins/ExampleBackend/ExampleBackend.swift"])
        let exam = try #require(blocks["Tests/Conformance/ExampleConformanceTests.swift"])
        let folder = try TemporaryDirectory()
        let backend = try folder.write("ExampleBackend.swift", Array(source.utf8))
        let tests = try folder.write("ExampleConformanceTests.swift", Array(exam.utf8))
        let start =
            "import Testing\n@main struct Start { static func main() async { await __swiftPMEntryPoint() as Never } }\n"
        let main = try folder.write("Start.swift", Array(start.utf8))
        let subject = "\(WalkThroughTests.top)/Tests/Conformance/LocalSubject.swift"
        let program = folder.file("exam")
        let (options, objects, plugins) = try toolchain()
        let output = try await BlockingPool.shared.run {
            try runCommand(
                ["swiftc", "-module-name", "ExampleBackend", "-emit-module", "-emit-module-path"]
                    + [folder.file("ExampleBackend.swiftmodule"), "-warnings-as-errors", "-c", backend, "-o"]
                    + [folder.file("backend.o")] + options)
            try runCommand(
                ["swiftc", "-module-name", "ConformanceTests", "-I", folder.file("."), tests, subject, main]
                    + [folder.file("backend.o"), "-o", program] + objects + options + plugins)
            return try runCommand([program, "--testing-library", "swift-testing"])
        }
        #expect(output.contains("\(ConformanceArea.allCases.count) test cases passed"), "\(output.suffix(4000))")
    }

    @Test func theLinesOnThePageFitTheirFiles() throws {
        let blocks = blocks()
        let line = try #require(blocks["package"])
        let needed = try #require(blocks["Plugins/ExampleBackend/ExampleBackend.swift"]).split(separator: "\n")
            .filter { $0.contains("import ") }.compactMap { $0.split(separator: " ").last }
        for module in needed { #expect(line.contains("\"\(module)\""), "\(module)") }
        let package = String(decoding: contents("\(WalkThroughTests.top)/Package.swift"), as: UTF8.self)
        #expect(package.contains("func plugin(_ name: String, _ dependencies: [String]) -> Target"))
        #expect(package.contains("let releasedBackends = ["))
        let main = String(
            decoding: contents("\(WalkThroughTests.top)/Services/Cluster/Main/main.swift"), as: UTF8.self)
        #expect(main.contains("BackendFactory(\"local\") {"))
        #expect(try #require(blocks["main"]).hasPrefix("BackendFactory(\"example\") {"))
    }

    /// The options all our modules are built with, the objects of those the example needs, and where macros are.
    private func toolchain() throws -> (options: [String], objects: [String], plugins: [String]) {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let own = String(decoding: path[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let built = String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)])
        var options = ["-parse-as-library", "-swift-version", "6", "-I", "\(built)/Modules"]
        for feature in ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault"] {
            options += ["-enable-upcoming-feature", feature]
        }
        options += ["-Xcc", "-fmodule-map-file=\(built)/CPlatform.build/module.modulemap"]
        let modules = [
            "Libraries/CPlatform", "Libraries/Core", "Libraries/EventLoop", "Libraries/ClusterBackend",
            "Libraries/DriverProcesses", "Libraries/ClusterBackendConformance", "Libraries/TestSupport",
            "Plugins/LocalBackend",
        ]
        // By the sources, because objects of sources that are gone may still lie about.
        let objects = try modules.flatMap { module in
            let below = "\(WalkThroughTests.top)/\(module)/"
            let sources = try runCommand(["find", below, "-name", "*.swift", "-o", "-name", "*.c"])
            let name = module.split(separator: "/").last ?? ""
            return sources.split(separator: "\n").map {
                "\(built)/\(name).build/\($0.split(separator: "/").last ?? "").o"
            }
        }
        let swift = try runCommand(["sh", "-c", "readlink -f \"$(command -v swiftc)\""])
        let bin = swift.split(separator: "/").dropLast().map { "/\($0)" }.joined()
        return (
            options, objects,
            [
                "-plugin-path", "\(bin)/../lib/swift/host/plugins", "-plugin-path",
                "\(bin)/../lib/swift/host/plugins/testing",
            ]
        )
    }
}
