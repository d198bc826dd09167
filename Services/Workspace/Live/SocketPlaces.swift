internal import Core
internal import Synchronization

/// How many WebSockets are open, of each user and from each network: who opens ever more of them gets no more.
final class SocketPlaces: Sendable {
    /// Whose places are counted.
    enum Holder: Sendable, Hashable {
        case user(String)
        /// See `CallerNetwork`. It is counted before it is known who asks.
        case network(String)
    }

    private let perUser: Int
    private let perNetwork: Int
    private let taken = Mutex<[Holder: Int]>([:])

    /// - Parameters:
    ///   - perUser: how many a user may have open at a time; 0 is without limit.
    ///   - perNetwork: how many may come from one network; 0 is without limit.
    init(perUser: Int, perNetwork: Int) {
        self.perUser = perUser
        self.perNetwork = perNetwork
    }

    /// Takes a place, which `leave` gives back.
    /// - Throws: `RESOURCE_EXHAUSTED`.
    func enter(_ holder: Holder) throws(HarbourError) {
        let (limit, name) =
            switch holder {
            case .user(let user): (perUser, user)
            case .network(let network): (perNetwork, network)
            }
        let isThere = taken.withLock { taken in
            let count = taken[holder, default: 0]
            guard limit == 0 || count < limit else { return false }
            taken[holder] = count + 1
            return true
        }
        guard isThere else {
            throw HarbourError(
                .resourceExhausted, "\(name) has \(limit) live connections open, which is the limit. Close some pages.")
        }
    }

    /// Gives a place back.
    func leave(_ holder: Holder) {
        taken.withLock { taken in
            let count = taken[holder, default: 0] - 1
            taken[holder] = count > 0 ? count : nil
        }
    }

    /// How many holders have places, so that nobody is remembered who has gone.
    var holders: Int { taken.withLock { $0.count } }
}
