internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import WebClient

/// Sends the notifications that are due, signed, until they are answered: it looks at start, when there is something new,
/// and when a try is due.
struct Notifier: Sendable {
    let looks: LookLoop

    init(context: EngineContext) {
        let delivery = Delivery(context: context, store: NotificationStore(pool: context.pool))
        looks = LookLoop(context.loop, complaint: "notifications could not be sent") {
            try await delivery.sendDue()
            return try await delivery.store.untilNext()
        }
    }
}

/// Takes notifications to whom they are for.
private struct Delivery: Sendable {
    let context: EngineContext
    let store: NotificationStore

    func sendDue() async throws {
        while true {
            let due = try await context.persistently("looking for notifications") { try await store.take() }
            if due.isEmpty { return }
            await withTaskGroup(of: Void.self) { group in
                for notification in due { group.addTask { await deliver(notification) } }
            }
        }
    }

    private func deliver(_ notification: DueNotification) async {
        let failure = await send(notification)
        if let failure, failure.isFinal {
            Logger("scheduler").warning(
                "a notification is given up",
                [
                    "code": failure.code, "notification": Int(notification.notificationID),
                    "run": Int(notification.runID), "error": failure.message,
                ])
        }
        do {
            try await context.persistently("settling a notification") {
                try await store.settle(notification, failure: failure)
            }
        } catch {
            Logger("scheduler").warning(
                "a notification will be sent twice",
                ["notification": Int(notification.notificationID), "error": HarbourError.describe(error)])
        }
    }

    /// What no further try changes: an address that is not called from here, or that is none; a message that the mail
    /// server will not take. Where we are not known to it, the operator can still say who we are.
    private static let final: Set<ErrorCode> = [.addressNotAllowed, .mailRejected, .invalidParameter]

    /// - Returns: why it did not get there; nil when it did.
    private func send(_ notification: DueNotification) async -> DeliveryFailure? {
        do throws(HarbourError) {
            if notification.url.hasPrefix("mailto:") {
                try await mail(notification)
            } else {
                try await call(notification)
            }
            return nil
        } catch {
            return DeliveryFailure(
                code: error.code.name, message: error.message, isFinal: Self.final.contains(error.code))
        }
    }

    private func call(_ notification: DueNotification) async throws(HarbourError) {
        let body = Array(notification.payload.utf8)
        var request = WebRequest(method: .post, url: notification.url, body: .bytes(body))
        request.fields["content-type"] = "application/json"
        request.fields["x-harbour-delivery"] = String(notification.notificationID)
        context.signer?.sign(&request, body)
        let response = try await context.web.send(request, deadline: .now + .seconds(30))
        guard response.status < 300 else { throw HarbourError(.badGateway, "answered with \(response.status)") }
    }

    private func mail(_ notification: DueNotification) async throws(HarbourError) {
        guard let mailer = context.mailer else {
            throw HarbourError(.unsupported, "The scheduler knows no mail server. Set HARBOUR_SCHEDULER_SMTP_URL.")
        }
        do { try await mailer.send(notification) } catch {
            let failure = HarbourError.wrap(error)
            Logger("scheduler").warning(
                "a notification could not be mailed",
                ["notification": Int(notification.notificationID), "error": failure.describeChain()])
            throw failure
        }
    }
}
