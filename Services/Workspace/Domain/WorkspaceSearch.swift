internal import Core
internal import HarbourProtocol
internal import Postgres

/// Where a page of results begins: in which of the two parts, and after which entry of it.
struct SearchStart: Sendable {
    var part: SearchPlace
    /// Nil for the beginning of the part.
    var place: SearchStore.Place?

    init(_ part: SearchPlace, after place: SearchStore.Place?) {
        self.part = part
        self.place = place
    }

    /// When an entry can have been changed, in microseconds: until the end of the year 9999.
    private static let times = 0...Int64(253_402_300_799_999_999)

    /// - Throws: `INVALID_PARAMETER_VALUE` when it is none of ours.
    init(_ text: String) throws(HarbourError) {
        let token = try PageToken(text, count: 3)
        let (number, changed, id) = (try token.int64(0), try token.int64(1), try token.int64(2))
        // The database refuses times that are none, which would look like a mistake of ours.
        guard [0, 1].contains(number), SearchStart.times.contains(changed), id >= 0 else { throw PageToken.invalid }
        part = number == 0 ? .name : .content
        place = id == 0 ? nil : SearchStore.Place(changed: changed, objectID: id)
    }

    var text: String {
        PageToken(
            .integer(part == .name ? 0 : 1), .integer(place?.changed ?? 0), .integer(place?.objectID ?? 0)
        ).text
    }
}

extension WorkspaceTree {
    /// A page of results: full as long as there are any.
    func search(
        _ wish: SearchStore.Wish, from start: SearchStart?, count: Int
    ) async throws -> SearchResults {
        try await pool.transaction { transaction in
            try await search.prepare(transaction)
            var found: [SearchStore.Found] = []
            var next: SearchStart?
            // One more than is wanted says whether there is another page.
            if start?.part != .content {
                found = try await search.names(wish, after: start?.place, count: count + 1, in: transaction)
                if found.count > count {
                    found.removeLast(found.count - count)
                    next = SearchStart(.name, after: found.last?.place)
                }
            }
            if next == nil {
                let after = start?.part == .content ? start?.place : nil
                let room = count - found.count
                var contents = try await search.contents(wish, after: after, count: room + 1, in: transaction)
                if contents.count > room {
                    contents.removeLast(contents.count - room)
                    next = SearchStart(.content, after: contents.last?.place ?? after)
                }
                found += contents
            }
            let isReading = try await search.isReading(on: transaction)
            return SearchResults(
                results: found.map(\.result), isReading: isReading ? true : nil, nextPageToken: next?.text)
        }
    }
}
