internal import Core
internal import HarbourProtocol

/// What somebody looks for: words that must all be there, each literally.
struct SearchQuery: Sendable, Hashable {
    static let maximumWords = 16
    let words: [String]

    /// - Throws: `INVALID_PARAMETER_VALUE` when there is no word, or there are too many.
    init(_ text: String) throws(HarbourError) {
        var words: [String] = []
        let parts = text.unicodeScalars.split { $0.properties.isWhitespace || $0 == "\0" }
        for word in parts.map({ String($0) }) where !words.contains(word) { words.append(word) }
        guard !words.isEmpty else {
            throw HarbourError(.invalidParameter, "`query` has no word in it. Send at least one character.")
        }
        guard words.count <= SearchQuery.maximumWords else {
            throw HarbourError(
                .invalidParameter,
                "`query` has \(words.count) words; at most \(SearchQuery.maximumWords) are looked for.")
        }
        self.words = words
    }

    /// The words with what LIKE takes for a pattern made literal.
    var escapedWords: [String] {
        words.map { word in
            var escaped = String.UnicodeScalarView()
            for scalar in word.unicodeScalars {
                if scalar == "\\" || scalar == "%" || scalar == "_" { escaped.append("\\") }
                escaped.append(scalar)
            }
            return String(escaped)
        }
    }

    /// Where the words are in a text, in order and without overlaps.
    func marks(in text: String) -> [TextMark] {
        let scalars = SearchQuery.fold(text)
        var isMarked = [Bool](repeating: false, count: scalars.count)
        for word in words.map(SearchQuery.fold) where word.count <= scalars.count {
            var at = 0
            while at + word.count <= scalars.count {
                if scalars[at..<at + word.count].elementsEqual(word) {
                    for index in at..<at + word.count { isMarked[index] = true }
                    at += word.count
                } else {
                    at += 1
                }
            }
        }
        var marks: [TextMark] = []
        var start: Int?
        for index in 0...isMarked.count {
            let marked = index < isMarked.count && isMarked[index]
            if marked, start == nil { start = index }
            if !marked, let begun = start {
                marks.append(TextMark(start: begun, length: index - begun))
                start = nil
            }
        }
        return marks
    }

    /// As `search_fold` of the database does, scalar by scalar so that places stay what they were.
    private static func fold(_ text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.map { scalar in
            if scalar.value < 0x80 {
                return scalar.value >= 0x41 && scalar.value <= 0x5a
                    ? Unicode.Scalar(UInt8(scalar.value) + 0x20) : scalar
            }
            if scalar == "İ" { return "i" }
            let lower = scalar.properties.lowercaseMapping.unicodeScalars
            return lower.count == 1 ? lower[lower.startIndex] : scalar
        }
    }
}

/// The line around a match, short enough to be read in a list.
struct SearchExcerpt: Sendable, Hashable {
    /// How much is taken out of the database on each side of the match.
    static let reach = 300
    static let maximumLength = 200
    /// How much of a long line is kept before the match.
    private static let lead = 60

    let text: String

    /// - Parameters:
    ///   - window: some text around the match.
    ///   - match: where in it the match is, in code points.
    init(window: String, match: Int) {
        let scalars = Array(window.unicodeScalars)
        let match = max(0, min(match, scalars.count - 1))
        guard !scalars.isEmpty else {
            text = ""
            return
        }
        func isBreak(_ index: Int) -> Bool { scalars[index] == "\n" || scalars[index] == "\r" }
        var start = match
        while start > 0, !isBreak(start - 1) { start -= 1 }
        var end = match
        while end < scalars.count, !isBreak(end) { end += 1 }
        while start < match, scalars[start].properties.isWhitespace { start += 1 }
        if end - start > SearchExcerpt.maximumLength {
            start = max(start, match - SearchExcerpt.lead)
            end = min(end, start + SearchExcerpt.maximumLength)
        }
        while end > start, scalars[end - 1].properties.isWhitespace { end -= 1 }
        text = String(String.UnicodeScalarView(scalars[start..<end]))
    }
}
