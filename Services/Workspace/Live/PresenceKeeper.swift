internal import Core
internal import EventLoop

/// Renews the presence of those whose connections this process has, as long as it has any.
actor PresenceKeeper {
    private let loop: EventLoop
    private let store: PresenceStore
    private var connections = 0
    private var timer: LoopTimer?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, store: PresenceStore) {
        self.loop = loop
        self.store = store
    }

    func came() {
        connections += 1
        arm()
    }

    func went() { connections -= 1 }

    func stop() {
        timer?.cancel()
        connections = 0
    }

    private func arm() {
        guard timer == nil, connections > 0 else { return }
        timer = loop.schedule(after: PresenceStore.lease / 3) { [self] in
            assumeIsolated { keeper in
                keeper.timer = nil
                keeper.loop.spawn { await keeper.renew() }
            }
        }
    }

    private func renew() async {
        guard connections > 0 else { return }
        do { try await store.renew() } catch {
            Logger("workspace.live").debug("presence could not be renewed", ["error": error.describeChain()])
        }
        arm()
    }
}
