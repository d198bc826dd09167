public import ClusterBackend
internal import Core
internal import EventLoop
internal import Glibc

/// What is worth knowing about the machine we run on.
public struct Machine: Sendable {
    /// Processors that are online.
    public let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    let pageSize = Int64(sysconf(Int32(_SC_PAGESIZE)))
    let ticksPerSecond = max(1, Int64(sysconf(Int32(_SC_CLK_TCK))))
    let bootID = ProcessIdentity(pid: getpid())?.bootID ?? ""

    /// All memory, in MiB.
    public var memoryMiB: Int { Int((Int64(sysconf(Int32(_SC_PHYS_PAGES))) * pageSize) >> 20) }

    /// What a driver inherits of our environment: how programs are found and how text and time look, nothing private.
    let baseEnvironment: [String: String] = {
        let names = [
            "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "JAVA_HOME",
            "LD_LIBRARY_PATH",
        ]
        var variables: [String: String] = [:]
        for name in names { if let value = getenv(name) { variables[name] = String(cString: value) } }
        return variables
    }()

    /// The program's path when the name leads to one that may be run.
    public func find(_ program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let folders = (baseEnvironment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        return folders.lazy.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }
}

extension Machine {
    /// The Spark that an interpreter of that path brings, by what lies beside it; nil where that cannot be told. It
    /// blocks: call it on a pool.
    public func sparkVersion(python: String) -> String? {
        let parts = python.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 2 else { return nil }
        let library = parts.dropLast(2).joined(separator: "/") + "/lib"
        for name in Files.names(in: library).sorted() where name.hasPrefix("python3") {
            guard let bytes = Files.read("\(library)/\(name)/site-packages/pyspark/version.py") else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("__version__") }) else { continue }
            return line.split { $0 == "'" || $0 == "\"" }.dropFirst().first.map(String.init)
        }
        return nil
    }
}

extension ProcessHost {
    /// Whether the folder can be written, and the programs, memory and disk a driver needs are there.
    public nonisolated func checks() async -> [PreflightReport.Check] {
        let (context, machine) = (context, machine)
        let checks = try? await BlockingPool.shared.run {
            [
                folderCheck(context.folder), diskCheck(context.folder),
                programCheck(
                    "Java", context.settings["java_home"].map { "\($0)/bin/java" } ?? "java", machine,
                    "Install Java 17, or set java_home."),
                programCheck(
                    "Python", context.settings["python"] ?? "python3", machine,
                    "Install the Python runtime, or set python."),
            ]
                + RuntimeChecks.all(
                    machine,
                    java: machine.find(context.settings["java_home"].map { "\($0)/bin/java" } ?? "java"),
                    python: context.settings["python"])
        }
        return checks ?? []
    }
}

private typealias Check = PreflightReport.Check

private func folderCheck(_ folder: String) -> Check {
    do {
        try Files.makeFolder(folder)
    } catch {
        return Check("folder", passed: false, message: error.message)
    }
    guard access(folder, W_OK) == 0 else {
        return Check("folder", passed: false, message: "\(folder) cannot be written. Change its owner.")
    }
    return Check("folder", passed: true, message: "\(folder) can be written.")
}

private func diskCheck(_ folder: String) -> Check {
    var info = statvfs()
    guard statvfs(folder, &info) == 0 else {
        return Check("disk", passed: false, message: "The free space of \(folder) cannot be read.")
    }
    let free = Int((UInt64(info.f_bavail) * UInt64(info.f_frsize)) >> 20)
    let message = "\(free) MiB are free for clusters"
    return free >= 256
        ? Check("disk", passed: true, message: "\(message).")
        : Check("disk", passed: false, message: "\(message), which is too little. Make room.")
}

private func programCheck(_ name: String, _ program: String, _ machine: Machine, _ advice: String) -> Check {
    if let path = machine.find(program) { return Check(name, passed: true, message: "\(name) is \(path).") }
    return Check(name, passed: false, message: "\(name) was not found as \(program). \(advice)")
}
