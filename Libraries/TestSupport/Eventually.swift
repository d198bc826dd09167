internal import Core

/// Waits until a condition holds that nothing announces, such as what another process does or leaves behind.
///
/// The limit is there to end a test that would hang, not to measure: it is long enough for a busy machine.
/// - Parameter what: completes "waited in vain until ...".
/// - Throws: `DEADLINE_EXCEEDED` when the condition does not hold within the limit, and what the condition throws.
public func eventually(
    _ what: String, within limit: Duration = .seconds(240), isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    let end = MonotonicTime.now + limit
    while !(try await condition()) {
        guard MonotonicTime.now < end else {
            throw HarbourError(.deadlineExceeded, "Waited \(limit) in vain until \(what).")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}
