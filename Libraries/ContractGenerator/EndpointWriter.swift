import Core

/// Writes the namespace of a service's endpoints and the inputs they take.
struct EndpointWriter {
    let service: Service
    /// All declarations of the contract by name, to see which answers are numbered and which bodies can resume.
    let declarations: [String: Declaration]

    func writeNamespace(to file: inout SourceFile) {
        file.document(service.title)
        file.block("public enum \(service.namespace) {") { file in
            file.document("The contract of this service, served at `/openapi.json`")
            file.line("public static let document = ContractDocument(service: \"\(service.name)\")")
            file.line()
            for operation in service.operations { writeEndpoint(operation, to: &file) }
            file.document("All endpoints, in the order of the document")
            file.block("public static let routes: [EndpointRoute] = [", closing: "]") { file in
                for operation in service.operations { file.line("\(operation.identifier).route,") }
            }
        }
    }

    private func writeEndpoint(_ operation: Operation, to file: inout SourceFile) {
        file.document(operation.summary, "`\(operation.method.uppercased()) \(operation.path)`")
        let type = operation.isRaw ? "RawEndpoint" : operation.isStream ? "StreamEndpoint" : "Endpoint"
        let types = operation.inputName + (operation.isRaw ? "" : ", \(operation.output)")
        file.block(
            "public static let \(operation.identifier) = \(type)<\(types)>(",
            closing: ")"
        ) { file in
            file.line("EndpointRoute(")
            file.line("    service: \"\(service.name)\", operationID: \"\(operation.identifier)\",")
            var rest = "successStatus: \(operation.successStatus), isIdempotent: \(operation.isIdempotent)"
            if operation.isInternal { rest += ", isInternal: true" }
            if operation.isStream { rest += ", isStream: true" }
            if let limit = operation.maximumBodyBytes { rest += ", maximumBodyBytes: \(grouped(limit))" }
            file.line("    method: .\(operation.method), path: \"\(operation.path)\",")
            file.line("    \(rest))")
        }
        file.line()
    }

    func writeInput(_ operation: Operation, to file: inout SourceFile) throws {
        let members = try self.members(of: operation)
        try file.block("extension \(service.namespace) {") { file in
            file.document("What `\(operation.identifier)` is asked with")
            try file.block("public struct \(operation.inputName): EndpointInput, Hashable {") { file in
                for member in members {
                    file.document(member.description)
                    file.line("public var \(member.swiftName): \(member.type)")
                }
                if !members.isEmpty { file.line() }
                writeInitialiser(members, to: &file)
                file.line()
                writeEncoder(operation, to: &file)
                file.line()
                try writeDecoder(operation, to: &file)
            }
        }
        writeResumption(operation, to: &file)
    }

    private struct Member {
        let swiftName: String
        let type: String
        let description: String
        let isOptional: Bool
    }

    private func members(of operation: Operation) throws -> [Member] {
        var members = operation.parameters.map { parameter in
            Member(
                swiftName: parameter.swiftName,
                type: parameter.shape.swiftType + (parameter.isRequired ? "" : "?"),
                description: parameter.description.isEmpty
                    ? "`\(parameter.name)`" : parameter.description, isOptional: !parameter.isRequired)
        }
        if let body = operation.body {
            members.append(
                Member(
                    swiftName: "body", type: body.swiftType + (operation.isBodyRequired ? "" : "?"),
                    description: "The body", isOptional: !operation.isBodyRequired))
        }
        guard Set(members.map(\.swiftName)).count == members.count else {
            throw ContractError("\(operation.identifier) has two parameters of one name")
        }
        return members
    }

    private func writeInitialiser(_ members: [Member], to file: inout SourceFile) {
        file.document("Makes an input; what is left out is not sent")
        signature(
            "public init", members.map { "\($0.swiftName): \($0.type)" + ($0.isOptional ? " = nil" : "") }, to: &file
        ) { file in
            for member in members { file.line("self.\(member.swiftName) = \(member.swiftName)") }
        }
    }

    private func writeEncoder(_ operation: Operation, to file: inout SourceFile) {
        file.document("Writes path, query and body")
        file.block("public func encode(to request: inout RequestBuilder) {") { file in
            for segment in operation.path.split(separator: "/") {
                if segment.hasPrefix("{") {
                    let parameter = operation.parameters.first { "{\($0.name)}" == segment }
                    file.line("request.segment(\(parameter?.swiftName ?? ""))")
                } else {
                    file.line("request.literal(\"/\(segment)\")")
                }
            }
            // A slash at the end is a part of the path as well.
            if operation.path.hasSuffix("/") { file.line("request.literal(\"/\")") }
            for parameter in operation.parameters where parameter.place != .path {
                let place = parameter.place == .query ? "query" : "header"
                file.line("request.\(place)(\"\(parameter.name)\", \(parameter.swiftName))")
            }
            if operation.body != nil { file.line("request.body(body)") }
        }
    }

    private func writeDecoder(_ operation: Operation, to file: inout SourceFile) throws {
        file.document("Reads path, query and body, and holds them within their limits")
        try file.block("public init(from request: borrowing RequestParts) throws(HarbourError) {") { file in
            let queries = operation.parameters.filter { $0.place == .query }.map { "\"\($0.name)\"" }
            file.line("try request.allowQuery([\(queries.joined(separator: ", "))])")
            for parameter in operation.parameters {
                let read = try parameter.shape.parameterDecoding("\(operation.identifier) \(parameter.name)")
                let place =
                    switch parameter.place {
                    case .path: "path"
                    case .query: parameter.isRequired ? "requiredQuery" : "query"
                    case .header: parameter.isRequired ? "requiredHeader" : "header"
                    }
                let mark = parameter.isRequired ? "" : "?"
                file.line("\(parameter.swiftName) = try request.\(place)(\"\(parameter.name)\")\(mark)\(read)")
            }
            if operation.body != nil {
                file.line("body = try request.\(operation.isBodyRequired ? "body" : "optionalBody")()")
            }
        }
    }

    /// Streams of numbered elements can go on where they broke off, when their input says after which to begin.
    private func writeResumption(_ operation: Operation, to file: inout SourceFile) {
        guard operation.isStream, isNumbered(operation.output) else { return }
        var path: String?
        if operation.parameters.contains(where: { $0.name == "after" }) { path = "after" }
        if case .named(let body)? = operation.body, operation.isBodyRequired, has(body, "after") { path = "body.after" }
        guard let path else { return }
        file.line()
        file.block("extension \(service.namespace).\(operation.inputName): ResumableInput {") { file in
            file.document("The number of the last element already seen")
            file.block("public var resumeAfter: Int64? {") { file in
                file.line("get { \(path) }")
                file.line("set { \(path) = newValue }")
            }
        }
    }

    private func isNumbered(_ name: String) -> Bool { has(name, "sequence") }

    private func has(_ type: String, _ field: String) -> Bool {
        guard case .object(let shape)? = declarations[type]?.kind else { return false }
        return shape.fields.contains { candidate in
            guard candidate.name == field, case .int64 = candidate.shape else { return false }
            return true
        }
    }
}
