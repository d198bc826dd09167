internal import HTTPMessage

/// The parts of a route's template: `/jobs/{id}/files/{path...}`.
enum RouteTemplate {
    enum Part: Equatable {
        case literal([UInt8])
        case parameter
        /// The rest of the path, slashes included.
        case rest
    }

    static func parts(_ template: String) -> [Part] {
        segments(template).map { segment in
            guard segment.hasPrefix("{"), segment.hasSuffix("}") else { return .literal(Array(segment.utf8)) }
            return segment.hasSuffix("...}") ? .rest : .parameter
        }
    }

    static func parameterNames(_ template: String) -> [String] {
        segments(template).filter { $0.hasPrefix("{") && $0.hasSuffix("}") }.map { segment in
            String(segment.dropFirst().dropLast(segment.hasSuffix("...}") ? 4 : 1))
        }
    }

    /// `/` has no segments; `/a/` has `a` and an empty one.
    private static func segments(_ template: String) -> [Substring] {
        precondition(template.hasPrefix("/") || template.isEmpty, "a route's template begins with a slash: \(template)")
        let rest = template.dropFirst()
        return rest.isEmpty ? [] : rest.split(separator: "/", omittingEmptySubsequences: false)
    }
}

/// Routes by path and method. Literal segments win over parameters, parameters over the rest.
final class RouteNode {
    /// The segment that leads here from its parent.
    private let text: UnsafeBufferPointer<UInt8>
    private var literals: [RouteNode] = []
    private var parameter: RouteNode?
    private var rest: RouteNode?
    private(set) var routes: [(method: HTTPMethod, route: HTTPRoute)] = []

    init(_ text: [UInt8] = []) {
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.count)
        _ = copy.initialize(from: text)
        self.text = UnsafeBufferPointer(copy)
    }

    deinit { text.deallocate() }

    func insert(_ parts: ArraySlice<RouteTemplate.Part>, _ method: HTTPMethod, _ route: HTTPRoute) {
        guard let part = parts.first else {
            precondition(!routes.contains { $0.method == method }, "two routes for \(method) \(route.template)")
            routes.append((method, route))
            return
        }
        let child: RouteNode
        switch part {
        case .literal(let text):
            if let known = literals.first(where: { $0.text.elementsEqual(text) }) {
                child = known
            } else {
                child = RouteNode(text)
                literals.append(child)
            }
        case .parameter:
            child = parameter ?? RouteNode()
            parameter = child
        case .rest:
            child = rest ?? RouteNode()
            rest = child
        }
        child.insert(parts.dropFirst(), method, route)
    }

    func route(_ method: HTTPMethod) -> HTTPRoute? {
        for candidate in routes where candidate.method == method { return candidate.route }
        return method == .head ? route(.get) : nil
    }

    @inline(__always)
    private func leads(_ path: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard text.count == end - start else { return false }
        for index in 0..<text.count where text[index] != path[start + index] { return false }
        return true
    }

    /// The node for the path from `start` on, which is the begin of a segment or the end of the path.
    func find(_ path: UnsafeBufferPointer<UInt8>, _ start: Int, _ ranges: inout [Range<Int>]) -> RouteNode? {
        guard start <= path.count else { return routes.isEmpty ? nil : self }
        var end = start
        while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
        for node in literals where node.leads(path, start, end) {
            if let found = node.find(path, end + 1, &ranges) { return found }
        }
        if let parameter, end > start {
            let depth = ranges.count
            ranges.append(start..<end)
            if let found = parameter.find(path, end + 1, &ranges) { return found }
            ranges.removeSubrange(depth...)
        }
        if let rest {
            ranges.append(start..<path.count)
            return rest
        }
        return nil
    }
}
