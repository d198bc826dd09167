import Core

/// Reads an OpenAPI document into a service.
struct DocumentParser {
    let name: String
    let document: JSONValue
    let common: JSONValue

    private static let methods = ["get", "put", "post", "delete", "patch"]

    func parse() throws -> Service {
        guard document["openapi"]?.string?.hasPrefix("3.1") == true else {
            throw ContractError("\(name).json is not an OpenAPI 3.1 document")
        }
        let schemas = document["components"]?["schemas"]?.object ?? JSONObject()
        let declarations = try schemas.fields.map { key, schema in
            try SchemaParser(place: "\(name).json \(key)", value: schema).declaration(named: key)
        }
        var operations: [Operation] = []
        for (path, item) in document["paths"]?.object?.fields ?? [] {
            for (method, operation) in item.object?.fields ?? [] {
                guard DocumentParser.methods.contains(method) else {
                    throw ContractError("\(name).json \(path) has \(method), which is not supported")
                }
                operations.append(try parse(operation, method: method, path: path))
            }
        }
        return Service(
            name: name, title: document["info"]?["description"]?.string ?? "", declarations: declarations,
            operations: operations)
    }

    private func parse(_ value: JSONValue, method: String, path: String) throws -> Operation {
        guard let identifier = value["operationId"]?.string else {
            throw ContractError("\(name).json \(method) \(path) has no operationId")
        }
        let place = "\(name).json \(identifier)"
        let parameters = try (value["parameters"]?.array ?? []).map { try parameter($0, place: place) }
        let inPath = parameters.filter { $0.place == .path }.map { "{\($0.name)}" }
        let segments = path.split(separator: "/").filter { $0.hasPrefix("{") }.map(String.init)
        guard inPath.sorted() == segments.sorted() else {
            throw ContractError("\(place) declares other path parameters than its path has")
        }
        let isStream = value["x-ndjson"]?.bool ?? false
        let isRaw = value["x-raw"]?.bool ?? false
        let (status, output) = try answer(
            value["responses"] ?? .null, isStream: isStream, isRaw: isRaw, place: place)
        let content = value["requestBody"]?["content"]?["application/json"]?["schema"]
        guard !isRaw || content == nil else { throw ContractError("\(place) is raw and has a body of JSON") }
        return Operation(
            identifier: identifier, summary: value["summary"]?.string ?? "", method: method, path: path,
            parameters: parameters,
            body: try content.map { try SchemaParser(place: place + " body", value: $0).shape() },
            isBodyRequired: value["requestBody"]?["required"]?.bool ?? false, successStatus: status, output: output,
            isStream: isStream, isRaw: isRaw, isIdempotent: value["x-idempotent"]?.bool ?? (method != "post"),
            isInternal: value["x-internal"]?.bool ?? false, maximumBodyBytes: value["x-max-body-bytes"]?.int64)
    }

    private func parameter(_ value: JSONValue, place: String) throws -> Parameter {
        guard let name = value["name"]?.string, let schema = value["schema"] else {
            throw ContractError("\(place) has a parameter without name or schema")
        }
        let places: [String: Parameter.Place] = ["path": .path, "query": .query, "header": .header]
        guard let location = places[value["in"]?.string ?? ""] else {
            throw ContractError("\(place) has the parameter \(name) at a place that is not supported")
        }
        return Parameter(
            name: name, place: location, shape: try SchemaParser(place: "\(place) \(name)", value: schema).shape(),
            isRequired: value["required"]?.bool ?? false, description: value["description"]?.string ?? "")
    }

    private func answer(
        _ responses: JSONValue, isStream: Bool, isRaw: Bool, place: String
    ) throws -> (Int, String) {
        let good = (responses.object?.fields ?? []).filter { $0.key.hasPrefix("2") }
        guard good.count == 1, let first = good.first, let status = Int(first.key) else {
            throw ContractError("\(place) needs exactly one 2xx response")
        }
        if isRaw { return (status, "") }
        let media = isStream ? "application/x-ndjson" : "application/json"
        guard let schema = first.value["content"]?[media]?["schema"],
            case .named(let output) = try SchemaParser(place: place + " response", value: schema).shape()
        else { throw ContractError("\(place) needs a response of \(media) with a named schema") }
        return (status, output)
    }
}
