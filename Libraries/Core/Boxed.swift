/// An optional value kept outside of the value it belongs to.
///
/// Large fields that are mostly absent would otherwise make every copy of their owner as long as if they were there.
public indirect enum Boxed<Value> {
    /// Nothing.
    case none
    /// The value.
    case some(Value)

    /// Puts a value away.
    @inlinable
    public init(_ value: Value?) {
        guard let value else {
            self = .none
            return
        }
        self = .some(value)
    }

    /// The value, copied out.
    @inlinable public var value: Value? {
        guard case .some(let value) = self else { return nil }
        return value
    }
}

extension Boxed: Sendable where Value: Sendable {}
extension Boxed: Equatable where Value: Equatable {}
extension Boxed: Hashable where Value: Hashable {}
