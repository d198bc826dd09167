public import Core

/// The contract of all services, read from its documents, and the files that follow from it.
public struct Contract {
    /// The services in the order of the call graph; `common` has shapes and no routes.
    public static let serviceNames = ["common", "workspace", "scheduler", "cluster", "driver", "monitoring"]

    private let services: [Service]
    private let declarations: [String: Declaration]

    /// Reads the documents by their service.
    /// - Throws: a sentence about the first thing that cannot be turned into code.
    public init(documents: [(name: String, document: JSONValue)]) throws {
        let common = documents.first { $0.name == "common" }?.document ?? .null
        services = try documents.map { name, document in
            try DocumentParser(name: name, document: document, common: common).parse()
        }
        var declarations: [String: Declaration] = [:]
        for declaration in services.flatMap(\.declarations) {
            guard declarations.updateValue(declaration, forKey: declaration.name) == nil else {
                throw ContractError("\(declaration.name) is declared twice; names are shared by all services")
            }
        }
        self.declarations = declarations
        try checkReferences()
    }

    /// The Swift files by their path below `Libraries/HarbourProtocol/Generated`.
    public func swiftFiles() throws -> [String: String] {
        var files: [String: String] = [:]
        for service in services {
            let folder = SwiftName.type(service.name)
            let origin = service.name + ".json"
            for declaration in service.declarations {
                var file = SourceFile(origin: origin, imports: ["public import Core"])
                file.line()
                try TypeWriter(declaration: declaration, declarations: declarations).write(to: &file)
                if isSequenced(declaration) {
                    file.line()
                    file.line("extension \(declaration.name): SequencedElement {}")
                }
                files["\(folder)/\(declaration.name).swift"] = file.text
            }
            guard !service.operations.isEmpty else { continue }
            let writer = EndpointWriter(service: service, declarations: declarations)
            var namespace = SourceFile(origin: origin, imports: ["internal import HTTPMessage"])
            writer.writeNamespace(to: &namespace)
            files["\(folder)/\(service.namespace).swift"] = namespace.text
            var inputs = SourceFile(origin: origin, imports: ["public import Core"])
            for operation in service.operations {
                inputs.line()
                try writer.writeInput(operation, to: &inputs)
            }
            files["\(folder)/\(service.namespace)Inputs.swift"] = inputs.text
        }
        files["ProtocolTypes.swift"] = typesFile()
        return files
    }

    private func isSequenced(_ declaration: Declaration) -> Bool {
        guard case .object(let shape) = declaration.kind else { return false }
        return shape.fields.contains { field in
            guard field.name == "sequence", !field.isOptional, case .int64 = field.shape else { return false }
            return true
        }
    }

    /// Lets a test read and write every type by its name.
    private func typesFile() -> String {
        var file = SourceFile(origin: "*.json", imports: ["internal import Core"])
        file.line()
        file.document("Every type of the contract, for tests that go through all of them")
        file.block("public enum ProtocolTypes {") { file in
            file.document("Service, name, and a function that reads a value and writes it again")
            file.block(
                "public static let all: [(service: String, name: String, echo: @Sendable ([UInt8]) throws -> [UInt8])] = [",
                closing: "]"
            ) { file in
                for service in services {
                    for declaration in service.declarations {
                        let name = declaration.name
                        file.line(
                            "(\"\(service.name)\", \"\(name)\", { try \(name)(json: $0).encodedJSON() }),")
                    }
                }
            }
        }
        return file.text
    }

    private func checkReferences() throws {
        for declaration in declarations.values {
            switch declaration.kind {
            case .object(let shape):
                for field in shape.fields {
                    try check(field.shape, in: declaration.name)
                    guard (1...JSONFields.longestName).contains(field.name.utf8.count),
                        field.name.utf8.allSatisfy({ 0x20 < $0 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c })
                    else { throw ContractError("\(declaration.name) has a field that is not a plain name") }
                }
                guard shape.fields.count <= JSONFields.maximumCount else {
                    throw ContractError("\(declaration.name) has more than \(JSONFields.maximumCount) fields")
                }
                guard !contains(declaration.name, in: declaration.name, seen: []) else {
                    throw ContractError("\(declaration.name) contains itself; a struct cannot")
                }
            case .union(let shape):
                for variant in shape.variants { try check(.named(variant.type), in: declaration.name) }
            case .enumeration: break
            }
        }
        for operation in services.flatMap(\.operations) {
            if !operation.isRaw { try check(.named(operation.output), in: operation.identifier) }
            if let body = operation.body { try check(body, in: operation.identifier) }
        }
    }

    private func check(_ shape: Shape, in place: String) throws {
        switch shape {
        case .named(let name):
            guard declarations[name] != nil else {
                throw ContractError("\(place) refers to \(name), which is not there")
            }
        case .array(let element, _), .map(let element, _): try check(element, in: place)
        default: break
        }
    }

    /// Whether a value of the type holds another of the wanted one without an array or map in between.
    private func contains(_ wanted: String, in name: String, seen: Set<String>) -> Bool {
        guard case .object(let shape)? = declarations[name]?.kind, !seen.contains(name) else { return false }
        return shape.fields.contains { field in
            guard case .named(let inner) = field.shape else { return false }
            return inner == wanted || contains(wanted, in: inner, seen: seen.union([name]))
        }
    }
}

extension Contract {
    /// Examples of every type by their path below `schemas/golden`: one with all fields, one with the required ones.
    public func goldenFiles() -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for service in services {
            for declaration in service.declarations {
                let examples: JSONValue = [
                    "full": example(declaration, isFull: true, depth: 0),
                    "minimal": example(declaration, isFull: false, depth: 0),
                ]
                files["\(service.name)/\(declaration.name).json"] = examples.prettyJSON()
            }
        }
        return files
    }

    private func example(_ declaration: Declaration, isFull: Bool, depth: Int) -> JSONValue {
        switch declaration.kind {
        case .enumeration(let cases, _): return .string((isFull ? cases.first : cases.last) ?? "")
        case .union(let shape):
            let name = (isFull ? shape.variants.first : shape.variants.last)?.type ?? ""
            return example(.named(name), name: "", isFull: isFull, depth: depth)
        case .object(let shape):
            var object = JSONObject()
            for field in shape.fields where isFull || field.isRequired {
                let isNull = field.isNullable && !isFull
                object[field.name] =
                    isNull ? .null : example(field.shape, name: field.name, isFull: isFull, depth: depth)
            }
            return .object(object)
        }
    }

    private func example(_ shape: Shape, name: String, isFull: Bool, depth: Int) -> JSONValue {
        switch shape {
        case .string(let length, _):
            var text = name.isEmpty ? "text" : name
            while text.utf8.count < length.minimum ?? 0 { text += "x" }
            return .string(String(text.prefix(Int(length.maximum ?? 1000))))
        case .constant(let text): return .string(text)
        case .int32(let limits): return .integer(limits.minimum ?? min(7, limits.maximum ?? 7))
        case .int64(let limits): return .integer(limits.minimum ?? min(9_007_199_254_740_993, limits.maximum ?? .max))
        case .timestamp: return 1_700_000_000_123
        case .double(let minimum, let maximum):
            return JSONNumber(minimum ?? min(2.5, maximum ?? 2.5)).map(JSONValue.number) ?? 0
        case .bool: return true
        case .any: return ["any": [1, 2.50, "three", nil]]
        case .anyObject: return ["key": ["nested": [true]]]
        case .array(let element, let count):
            let few = isFull ? max(1, count.minimum ?? 1) : count.minimum ?? 0
            return .array((0..<few).map { _ in example(element, name: name, isFull: isFull, depth: depth) })
        case .map(let element, _):
            return isFull ? ["key": example(element, name: "value", isFull: isFull, depth: depth)] : [:]
        case .named(let type):
            guard depth < 16, let declaration = declarations[type] else { return nil }
            return example(declaration, isFull: isFull, depth: depth + 1)
        }
    }
}
