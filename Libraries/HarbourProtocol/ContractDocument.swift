internal import CContract
public import Core
internal import Synchronization

/// The contract of a service as one OpenAPI 3.1 document, served at `/openapi.json`.
///
/// The executable carries the files of `schemas/openapi` as they are. What the services share stands in `common.json`
/// alone; it is moved into a service's document when somebody asks for that, and kept from then on.
public final class ContractDocument: Sendable {
    /// The name of the service and of its file.
    public let service: String
    /// The services behind it, whose public operations it answers as well.
    private let behind: [String]
    private let whole = Mutex<[UInt8]?>(nil)

    /// The document of a service.
    public convenience init(service: String) { self.init(service: service, andPublicOf: []) }

    /// The document of a front door: what it answers itself, and what is public of the services behind it.
    public init(service: String, andPublicOf behind: [ContractDocument]) {
        self.service = service
        self.behind = behind.map(\.service)
    }

    /// The document as JSON, with all that it refers to inside it.
    /// - Throws: `INTERNAL_ERROR` when there is none of that name.
    public func json() throws(HarbourError) -> [UInt8] {
        if let made = whole.withLock({ $0 }) { return made }
        var document = try ContractDocument.read(service)
        for other in behind { ContractDocument.join(try ContractDocument.read(other), to: &document) }
        if !behind.isEmpty { ContractDocument.describeDoor(&document) }
        let common = try ContractDocument.read("common")
        let made = ContractDocument.bundled(document, common: common).encodedJSON(capacity: 1 << 19)
        whole.withLock { $0 = made }
        return made
    }

    private static func read(_ name: String) throws(HarbourError) -> JSONValue {
        var count = 0
        guard let bytes = contract_document(name, &count) else {
            throw HarbourError(
                .internalError, "Something went wrong on our side. The log of the service has the details.",
                detail: "there is no contract named \(name)")
        }
        return try JSONValue(json: Array(UnsafeBufferPointer(start: bytes, count: count)), code: .internalError)
    }

    /// The document with the shared schemas and responses moved into it.
    private static func bundled(_ document: JSONValue, common: JSONValue) -> JSONValue {
        var bundled = localised(document)
        var components = bundled["components"]?.object ?? JSONObject()
        for kind in ["schemas", "responses"] {
            var members = components[kind]?.object ?? JSONObject()
            for (key, value) in common["components"]?[kind]?.object?.fields ?? [] { members[key] = localised(value) }
            components[kind] = .object(members)
        }
        bundled["components"] = .object(components)
        return bundled
    }

    /// Puts the paths and schemas of one document into another. Names are the contract's, and not taken twice in it.
    private static func join(_ other: JSONValue, to document: inout JSONValue) {
        var paths = document["paths"]?.object ?? JSONObject()
        for (path, item) in other["paths"]?.object?.fields ?? [] { paths[path] = item }
        document["paths"] = .object(paths)
        var components = document["components"]?.object ?? JSONObject()
        var schemas = components["schemas"]?.object ?? JSONObject()
        for (name, schema) in other["components"]?["schemas"]?.object?.fields ?? [] { schemas[name] = schema }
        components["schemas"] = .object(schemas)
        document["components"] = .object(components)
    }

    /// Leaves out what is between services, and says how one signs in, for tools that read such documents.
    private static func describeDoor(_ document: inout JSONValue) {
        let paths = document["paths"]?.object?.fields ?? []
        document["paths"] = .object(JSONObject(paths.filter { !$0.0.hasPrefix("/internal/") }))
        document["info"]?["title"] = "DataHarbour"
        document["servers"] = [["url": "/"]]
        document["security"] = [["token": []]]
        document["components"]?["securitySchemes"] = [
            "token": [
                "type": "http", "scheme": "bearer",
                "description": "A personal access token, an access token (JWT), or the token that harbour up prints.",
            ]
        ]
    }

    private static func localised(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map(localised))
        case .object(let object):
            return .object(
                JSONObject(
                    object.fields.map { key, value in
                        guard key == "$ref", let text = value.string, text.hasPrefix("common.json#") else {
                            return (key, localised(value))
                        }
                        return (key, .string(String(text.dropFirst("common.json".count))))
                    }))
        default: return value
        }
    }
}
