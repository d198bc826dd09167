internal import Glibc

// swift run ContractGenerator             writes the generated Swift files and schemas/errors.md
// swift run ContractGenerator --golden    writes schemas/golden as well: do it when a change of shape is meant
// swift run ContractGenerator --check     writes nothing and fails when something is not current

func run(_ arguments: ArraySlice<String>) throws {
    guard let tree = SourceTree.current() else { throw ContractError("run this inside the checkout") }
    for argument in arguments where !["--golden", "--check"].contains(argument) {
        throw ContractError("the argument \(argument) is not known; there are --golden and --check")
    }
    let stale = try tree.staleFiles()
    if arguments.contains("--check") {
        guard stale.isEmpty else {
            throw ContractError("run `swift run ContractGenerator`: not current are \(stale.joined(separator: ", "))")
        }
        return
    }
    let expected = try tree.expectedFiles()
    for path in stale {
        if let bytes = expected[path] { try tree.write(path, bytes) } else { tree.remove(path) }
        print(path)
    }
    guard arguments.contains("--golden") else { return }
    let golden = try tree.contract().goldenFiles()
    for (path, bytes) in golden { try tree.write("schemas/golden/\(path)", bytes) }
    for path in tree.goldenFiles() where golden[String(path.dropFirst("schemas/golden/".count))] == nil {
        tree.remove(path)
    }
}

do {
    try run(CommandLine.arguments.dropFirst())
} catch {
    print("ContractGenerator: \(error)")
    exit(1)
}
