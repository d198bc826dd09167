internal import Core
internal import Postgres

/// Warns of runs that take longer than their job's health allows: it looks at start, when there is a new run, and when one
/// may be over its time.
struct DurationWatch: Sendable {
    let looks: LookLoop

    init(context: EngineContext) {
        let store = HealthStore(pool: context.pool, notifications: NotificationStore(pool: context.pool))
        // Runs begin in crowds; a second is nothing to what is waited for here.
        looks = LookLoop(
            context.loop, complaint: "long runs could not be warned of", slack: .milliseconds(20),
            spacing: .seconds(1)
        ) {
            try await context.persistently("looking for long runs") {
                guard let first = try await store.untilNext() else { return nil as Duration? }
                if first > .zero { return first }
                try await store.warn()
                return try await store.untilNext()
            }
        }
    }
}
