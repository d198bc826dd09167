internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import WebClient

/// Sends the notifications that are due, signed, until they are answered.
actor Notifier {
    private let context: EngineContext
    private let store: NotificationStore
    private var timer: LoopTimer?
    private var isBusy = false
    private var isAskedAgain = false
    private var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(context: EngineContext) {
        self.context = context
        store = NotificationStore(pool: context.pool)
    }

    /// Looks for what is due: at start, when there is something new, and when a try is due.
    func look() {
        guard !isStopped else { return }
        isAskedAgain = true
        guard !isBusy else { return }
        isBusy = true
        context.loop.spawn { [self] in await lookAll() }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
    }

    private func lookAll() async {
        while isAskedAgain && !isStopped {
            isAskedAgain = false
            do {
                while true {
                    let due = try await context.persistently("looking for notifications") { [store] in
                        try await store.take()
                    }
                    if due.isEmpty { break }
                    await withTaskGroup(of: Void.self) { group in
                        for notification in due { group.addTask { await self.deliver(notification) } }
                    }
                }
                arm(try await store.untilNext())
            } catch {
                if isStopped { break }
                Logger("scheduler").error("notifications could not be sent", ["error": HarbourError.describe(error)])
            }
        }
        isBusy = false
    }

    private func arm(_ delay: Duration?) {
        timer?.cancel()
        timer = nil
        guard let delay, !isStopped else { return }
        timer = context.loop.schedule(after: delay + .milliseconds(5)) { [self] in assumeIsolated { $0.look() } }
    }

    private func deliver(_ notification: DueNotification) async {
        let failure = await send(notification)
        do {
            try await context.persistently("settling a notification") { [store] in
                try await store.settle(notification, failure: failure)
            }
        } catch {
            Logger("scheduler").warning(
                "a notification will be sent twice",
                ["notification": Int(notification.notificationID), "error": HarbourError.describe(error)])
        }
    }

    /// - Returns: why it did not get there; nil when it did.
    private func send(_ notification: DueNotification) async -> String? {
        if notification.url.hasPrefix("mailto:") { return await mail(notification) }
        let body = Array(notification.payload.utf8)
        var request = WebRequest(method: .post, url: notification.url, body: .bytes(body))
        request.fields["content-type"] = "application/json"
        request.fields["x-harbour-delivery"] = String(notification.notificationID)
        context.signer?.sign(&request, body)
        do {
            let response = try await context.web.send(request, deadline: .now + .seconds(30))
            return response.status < 300 ? nil : "answered with \(response.status)"
        } catch { return error.message }
    }

    private func mail(_ notification: DueNotification) async -> String? {
        guard let mailer = context.mailer else {
            return "The scheduler knows no mail server. Set HARBOUR_SCHEDULER_SMTP_URL."
        }
        do {
            try await mailer.send(notification)
            return nil
        } catch {
            let failure = HarbourError.wrap(error)
            Logger("scheduler").warning(
                "a notification could not be mailed",
                ["notification": Int(notification.notificationID), "error": failure.describeChain()])
            return failure.message
        }
    }
}
