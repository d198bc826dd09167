internal import Core
internal import EventLoop
internal import HTTPMessage

/// Reads a response's body as it comes. When the reader lets go of it before the end, the stream is broken off.
final class CallSource: HTTPBodySource {
    private let call: ClientCall

    init(_ call: ClientCall) { self.call = call }

    deinit { giveUp() }

    func next() async throws(HarbourError) -> [UInt8]? {
        let loop = call.loop
        if loop.isCurrent, let ready = call.takeReady() { return try ready.get() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                loop.onLoop { [call] in call.park(reader: continuation) }
            }
        } onCancel: { [call] in
            loop.submit { call.end(ClientCall.cancelledError) }
        }
        return try result.get()
    }

    func discard() { giveUp() }

    private func giveUp() {
        let call = call
        call.loop.onLoop { call.end(HarbourError(.cancelled, "The response's body was given up by its reader.")) }
    }
}

/// Writes a request's body as the server takes it.
final class CallSink: HTTPBodySink {
    private let call: ClientCall

    init(_ call: ClientCall) { self.call = call }

    func write(_ bytes: [UInt8]) async throws(HarbourError) {
        let loop = call.loop
        if loop.isCurrent, try call.upload(bytes).get() { return }
        let isSent = loop.isCurrent
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<HarbourError?, Never>) in
                loop.onLoop { [call] in
                    if !isSent {
                        switch call.upload(bytes) {
                        case .success(true):
                            continuation.resume(returning: nil)
                            return
                        case .success(false): break
                        case .failure(let error):
                            continuation.resume(returning: error)
                            return
                        }
                    }
                    call.park(writer: continuation)
                }
            }
        } onCancel: { [call] in
            loop.submit { call.end(ClientCall.cancelledError) }
        }
        if let failure { throw failure }
    }
}
