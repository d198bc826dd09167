internal import ClusterBackend
internal import Core
internal import Glibc

/// What is looked at besides the programs' being there. Blocks: belongs on a pool. Nothing is started.
enum RuntimeChecks {
    private typealias Check = PreflightReport.Check
    /// The oldest Java that Spark runs on.
    private static let oldestJava = 17
    /// What a small cluster needs, in MiB.
    private static let leastMemory = 1024

    /// Everything at once.
    static func all(_ machine: Machine, java: String?, python: String?) -> [PreflightReport.Check] {
        var checks = [memory(), port()]
        if let java { checks.append(javaVersion(java)) }
        if let python { checks.append(spark(python, machine.sparkVersion(python: python))) }
        return checks
    }

    private static func memory() -> Check {
        let text = String(decoding: Files.read("/proc/meminfo") ?? [], as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        let words = line?.split(separator: " ") ?? []
        guard words.count > 1, let kibibytes = Int(words[1]) else {
            return Check("memory", passed: true, message: "How much memory is free cannot be read here.")
        }
        let free = kibibytes >> 10
        let message = "\(free) MiB of memory are free"
        return free >= leastMemory
            ? Check("memory", passed: true, message: "\(message).")
            : Check(
                "memory", passed: false,
                message: "\(message), and a small cluster needs \(leastMemory). Terminate a cluster, or close programs."
            )
    }

    /// Spark's parts find each other by ports of loopback.
    private static func port() -> Check {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { if descriptor >= 0 { close(descriptor) } }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return bound == 0
            ? Check("ports", passed: true, message: "Ports of 127.0.0.1 can be taken.")
            : Check(
                "ports", passed: false,
                message: "No port of 127.0.0.1 can be taken (\(String(cString: strerror(errno)))). "
                    + "Bring the loopback device up: ip link set lo up.")
    }

    /// The build's own description says its version; starting it would take half a second.
    private static func javaVersion(_ program: String) -> Check {
        guard let resolved = realpath(program, nil) else {
            return Check("Java version", passed: false, message: "\(program) leads nowhere. Install Java 17.")
        }
        defer { free(resolved) }
        let home = String(cString: resolved).split(separator: "/").dropLast(2).map { "/\($0)" }.joined()
        let text = String(decoding: Files.read("\(home)/release") ?? [], as: UTF8.self)
        let mark = "JAVA_VERSION=\""
        let line = text.split(separator: "\n").first { $0.hasPrefix(mark) }
        let numbers = line?.dropFirst(mark.count).split { ".\"_".contains($0) }.compactMap { Int($0) } ?? []
        guard let first = numbers.first else {
            return Check("Java version", passed: true, message: "\(home) does not say its version; Spark will see.")
        }
        // 1.8 was the eighth.
        let version = first == 1 && numbers.count > 1 ? numbers[1] : first
        return version >= oldestJava
            ? Check("Java version", passed: true, message: "Java \(version).")
            : Check(
                "Java version", passed: false,
                message: "\(program) is Java \(version), and Spark needs \(oldestJava) or newer. "
                    + "Install openjdk-17-jre-headless, or set HARBOUR_DRIVER_JAVA_HOME.")
    }

    /// Driver and workers of one machine run from the same environment, so it is enough that it is there and whole.
    private static func spark(_ python: String, _ version: String?) -> Check {
        if let version {
            return Check("Spark", passed: true, message: "Spark \(version), for driver and workers alike.")
        }
        guard python.contains("/") else {
            return Check("Spark", passed: true, message: "\(python) is looked up in PATH; the driver will see.")
        }
        return Check(
            "Spark", passed: false,
            message:
                "\(python) has no PySpark beside it. Run deploy/setup --only runtime, or set HARBOUR_DRIVER_PYTHON.")
    }
}
