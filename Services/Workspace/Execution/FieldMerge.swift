internal import Core

/// Brings the changes of two people to something together, field by field, and notes where both have changed one field in
/// different ways. The answer is the same whoever of the two comes first.
struct FieldMerge: Sendable {
    /// The names of the fields that both have changed, each in another way.
    private(set) var conflicts: [String] = []

    /// What the one has who has changed it.
    mutating func merge<Value>(
        _ name: String, base: Value, mine: Value, theirs: Value, isSame: (Value, Value) -> Bool
    ) -> Value {
        if isSame(mine, theirs) || isSame(mine, base) { return theirs }
        if isSame(theirs, base) { return mine }
        conflicts.append(name)
        return theirs
    }

    /// Texts are compared by their bytes: an accent that is written in another way is a change.
    mutating func merge(_ name: String, base: String, mine: String, theirs: String) -> String {
        merge(name, base: base, mine: mine, theirs: theirs) { $0.utf8.elementsEqual($1.utf8) }
    }

    /// Key by key.
    /// - Parameter name: what comes before the names of the keys; nothing when it is empty.
    mutating func merge(
        _ name: String, base: JSONObject, mine: JSONObject, theirs: JSONObject
    ) -> JSONObject {
        var merged = theirs
        var seen: Set<[UInt8]> = []
        for key in mine.keys + base.keys where seen.insert(Array(key.utf8)).inserted {
            merged[key] = merge(
                name.isEmpty ? key : "\(name).\(key)", base: base[key], mine: mine[key], theirs: theirs[key])
        }
        return merged
    }

    /// Objects key by key, anything else as a whole: the places in a list name nothing.
    mutating func merge(
        _ name: String, base: JSONValue?, mine: JSONValue?, theirs: JSONValue?
    ) -> JSONValue? {
        if let mine = mine?.object, let theirs = theirs?.object {
            return .object(merge(name, base: base?.object ?? JSONObject(), mine: mine, theirs: theirs))
        }
        return merge(name, base: base, mine: mine, theirs: theirs, isSame: FieldMerge.isSame)
    }

    /// The same for two objects that may be missing.
    mutating func merge(
        _ name: String, base: JSONObject?, mine: JSONObject?, theirs: JSONObject?
    ) -> JSONObject? {
        merge(name, base: base.map { .object($0) }, mine: mine.map { .object($0) }, theirs: theirs.map { .object($0) })?
            .object
    }

    /// Whether two values are written alike, whatever the order of their keys.
    static func isSame(_ left: JSONValue?, _ right: JSONValue?) -> Bool {
        switch (left, right) {
        case (nil, nil): true
        case (.object(let left)?, .object(let right)?):
            left.count == right.count && left.fields.allSatisfy { isSame($0.value, right[$0.key]) }
        case (.array(let left)?, .array(let right)?):
            left.count == right.count && zip(left, right).allSatisfy { isSame($0, $1) }
        case (.string(let left)?, .string(let right)?): left.utf8.elementsEqual(right.utf8)
        default: left == right
        }
    }
}
