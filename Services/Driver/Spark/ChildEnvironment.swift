internal import EventLoop

/// The variables of what the driver starts: ours, without what is the driver's own business. The cluster's mark stays,
/// because a backend finds what is left of a cluster by it.
enum ChildEnvironment {
    private static let marks = ["HARBOUR_CLUSTER_ID", "HARBOUR_INSTALLATION"]

    static func base(_ configuration: DriverConfiguration) -> [String: String] {
        var variables = ProcessSpecification.Environment.ours.filter { name, _ in
            !name.hasPrefix("HARBOUR_") || marks.contains(name)
        }
        if let folder = configuration.runtimeFolder {
            variables["PYTHONPATH"] = [folder, variables["PYTHONPATH"]].compactMap { $0 }.joined(separator: ":")
        }
        return variables
    }
}
