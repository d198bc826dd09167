public import Core

/// The place in a list where the next page begins, as an opaque token: the sort keys of the last row of this page.
///
/// The token is not signed. It holds nothing the caller has not seen, and a forged one reaches no row that the caller
/// could not have listed.
public struct PageToken: Sendable, Hashable {
    private static let version: Int64 = 1

    /// The sort keys, numbers and texts.
    public var keys: [JSONValue]

    /// Makes a token from sort keys.
    public init(_ keys: JSONValue...) { self.keys = keys }

    /// The token as it is sent.
    public var text: String {
        Base64.encode(JSONValue.array([.integer(PageToken.version)] + keys).encodedJSON(), .url)
    }

    /// Reads a token of `count` sort keys.
    /// - Throws: `INVALID_PARAMETER_VALUE` when it is not one of ours.
    public init(_ text: String, count: Int) throws(HarbourError) {
        guard text.utf8.count <= 512, let bytes = Base64.decode(text, .url),
            let parts = (try? [JSONValue](json: bytes)), parts.count == count + 1,
            parts[0].int64 == PageToken.version
        else { throw PageToken.invalid }
        keys = Array(parts.dropFirst())
    }

    /// The sort key at that place as a number.
    public func int64(_ index: Int) throws(HarbourError) -> Int64 {
        guard keys.indices.contains(index), let value = keys[index].int64 else { throw PageToken.invalid }
        return value
    }

    /// The sort key at that place as a text.
    public func string(_ index: Int) throws(HarbourError) -> String {
        guard keys.indices.contains(index), let value = keys[index].string else { throw PageToken.invalid }
        return value
    }

    /// What is thrown for a token that no list gave out.
    public static var invalid: HarbourError {
        HarbourError(
            .invalidParameter,
            "The page_token is not one that this list gave out. Begin again without page_token.")
    }
}
