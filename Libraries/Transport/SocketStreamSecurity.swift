internal import Core
internal import Cryptography
internal import EventLoop
internal import Glibc

extension SocketStream {
    /// Plaintext that one flush encrypts at most before the socket is tried again.
    private static let encryptedAtOnce = 65_536

    /// Moves what the owner wrote, and what TLS itself has to say, into the queue for the socket.
    func encrypt() {
        guard let secure else { return }
        if secure.isEstablished {
            let count = min(output.count, SocketStream.encryptedAtOnce)
            if count > 0 {
                do throws(HarbourError) {
                    try secure.session.write(UnsafeRawBufferPointer(rebasing: output.bytes[..<count]))
                    output.removeFirst(count)
                } catch {
                    // The session is lost, and its alert is all that still goes out.
                    output.removeFirst(output.count)
                    loop.later { [self] in if isOpen { fail(error) } }
                }
            }
        }
        moveCiphertext(secure)
    }

    private func moveCiphertext(_ secure: SecureLayer) {
        guard secure.session.outputCount > 0 else { return }
        secure.session.takeOutput().withUnsafeBytes { ciphertext.append($0) }
    }

    /// Takes what the socket brought.
    func decrypt(_ bytes: UnsafeRawBufferPointer) {
        guard let secure else { return }
        do throws(HarbourError) {
            try secure.session.feed(bytes)
            if !secure.isEstablished && secure.session.state == .established {
                secure.isEstablished = true
                handler?.streamSecured(secure.details)
            }
            // The handshake answers too.
            if secure.session.outputCount > 0 || !output.isEmpty { flush() }
            try giveDecrypted(secure)
        } catch {
            flush()
            fail(error)
        }
    }

    /// Gives what was decrypted while reading was paused.
    func readDecrypted() {
        guard let secure, isOpen, !readsPaused, !isFinishing else { return }
        do throws(HarbourError) {
            try giveDecrypted(secure)
            if isOpen { handler?.streamReadingPaused() }
            if isOpen && inputEnded { handler?.streamEnded() }
        } catch {
            flush()
            fail(error)
        }
    }

    private func giveDecrypted(_ secure: SecureLayer) throws(HarbourError) {
        while isOpen && !readsPaused && !isFinishing {
            // What was received is in the session by now, so the loop's buffer is free again.
            let scratch = loop.scratch
            switch try secure.session.read(into: scratch) {
            case .bytes(let count): handler?.streamReceived(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            case .wantsInput: return
            case .end:
                inputEnded = true
                return
            }
        }
    }
}
