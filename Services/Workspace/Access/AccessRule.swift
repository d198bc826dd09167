internal import Core
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceKit

/// Who may call one operation, and what they need for it.
struct AccessRule: Sendable {
    /// Who at all.
    enum Audience: Sendable, Hashable {
        /// Also who has not signed in.
        case everybody
        /// Whoever is signed in; a list then shows only what one may see.
        case signedIn
        /// Whoever is more than a viewer.
        case members
        case administrators
        /// The other services, for themselves or for a user.
        case services
    }

    /// A level on something that the request names.
    struct Need: Sendable {
        let level: AccessLevel
        let target: Target
    }

    /// Where in the request the name is.
    enum Target: Sendable {
        /// A path of the tree in the query or in the body.
        case path(Place)
        /// A folder on the way to something that may be seen, by its path in the query.
        case passage(Place)
        case notebook(Place)
        /// A file on its way into the tree.
        case upload(Place)
        /// Something in the trash.
        case deletion(Place)
        /// The path that something in the trash is to come to: the one in the body, or where it was.
        case restored(Place)
        case cluster(Place)
        case job(Place)
        case run(Place)
        case backfill(Place)
        case scope(Place)
        /// The object of `/permissions/{object_type}/{object_id}`.
        case permissionsObject
        /// The scopes of all references in a body.
        case secretReferences
        /// All that a job or a cluster in the body would use with its maker's rights: clusters, jobs, secrets, notebooks
        /// and files, each with the level that takes.
        case used
        /// The user in the path; only they themselves, or administrators.
        case oneself(Place)
    }

    enum Place: Sendable {
        case parameter(String)
        case query(String)
        /// A field at the top of the body.
        case body(StaticString)
    }

    let audience: Audience
    var needs: [Need] = []

    static let everybody = AccessRule(audience: .everybody)
    static let signedIn = AccessRule(audience: .signedIn)
    static let members = AccessRule(audience: .members)
    static let administrators = AccessRule(audience: .administrators)
    static let services = AccessRule(audience: .services)

    static func needs(_ level: AccessLevel, _ target: Target) -> AccessRule {
        AccessRule(audience: .signedIn, needs: [Need(level: level, target: target)])
    }

    /// Also what the job or cluster in the body uses: whoever changes it must not get at more by it.
    var andWhatIsUsed: AccessRule { and(.view, .used) }

    func and(_ level: AccessLevel, _ target: Target) -> AccessRule {
        AccessRule(audience: audience, needs: needs + [Need(level: level, target: target)])
    }
}

extension AccessRule.Place {
    /// The text at that place of the request; nil when it is not there.
    /// - Throws: `INVALID_PARAMETER_VALUE` or `MALFORMED_REQUEST` when it is there more than once or is something else:
    ///   what is decided on must be what the handler will read.
    func text(_ request: HTTPRequest, _ body: RequestBody) async throws(HarbourError) -> String? {
        switch self {
        case .parameter(let name): return request.parameters.value(name)
        case .query(let name):
            let values = request.queryItems.filter { $0.name == name }.map(\.value)
            guard values.count <= 1 else {
                throw HarbourError(.invalidParameter, "The query parameter `\(name)` is given twice.")
            }
            return values.first
        case .body(let name): return try BodyField.text(name, in: try await body.bytes())
        }
    }
}

/// Finds one field of a JSON object without decoding the rest, which may be a notebook of a hundred megabytes.
enum BodyField {
    static func text(_ name: StaticString, in bytes: [UInt8]) throws(HarbourError) -> String? {
        do throws(JSONError) {
            return try JSONReader.read(bytes) { (reader: inout JSONReader) throws(JSONError) -> String? in
                var found: String?
                guard try reader.beginObject() else { return nil }
                repeat {
                    let isWanted = try reader.key().matches(name)
                    if isWanted {
                        guard found == nil else { throw reader.duplicateKey() }
                        if try reader.peek() == .string { found = try reader.string() } else { try reader.skip() }
                    } else {
                        try reader.skip()
                    }
                } while try reader.nextKey()
                return found
            }
        } catch {
            throw HarbourError(.malformedRequest, "The body is not the JSON object it must be: \(error.message).")
        }
    }
}
