internal import Core
internal import Cryptography

/// The five sockets of a kernel (Jupyter messaging, "Introduction").
enum KernelChannel: CaseIterable, Sendable {
    case shell
    case control
    case input
    case output
    case heartbeat
}

/// A message of the Jupyter protocol, 5.x. Content and metadata stay JSON until somebody wants them.
struct JupyterMessage: Sendable {
    var id: String
    var type: String
    /// The request this one belongs to.
    var parentID: String?
    var parentType: String?
    var metadata: [UInt8] = Array("{}".utf8)
    var content: [UInt8] = Array("{}".utf8)
}

/// Signs and checks messages (Jupyter messaging, "The wire protocol"): HMAC-SHA256 over header, parent header, metadata
/// and content.
struct JupyterWire: Sendable {
    enum Failure: Error, Hashable {
        /// Fewer frames than a message has.
        case incomplete
        /// The signature is not that of the kernel that has our key.
        case signature
        /// Correctly signed, and not what the protocol says.
        case malformed
    }

    private static let delimiter = Array("<IDS|MSG>".utf8)

    let key: [UInt8]
    let session: String

    func encode(_ message: JupyterMessage, now: Timestamp) -> [[UInt8]] {
        var header = JSONWriter(capacity: 256)
        header.beginObject()
        header.key(quoted: "\"msg_id\":")
        header.value(message.id)
        header.key(quoted: "\"msg_type\":")
        header.value(message.type)
        header.key(quoted: "\"session\":")
        header.value(session)
        header.key(quoted: "\"username\":")
        header.value("dataharbour")
        header.key(quoted: "\"date\":")
        header.value(ISO8601.format(now))
        header.key(quoted: "\"version\":")
        header.value("5.3")
        header.endObject()
        let parts = [header.finish(), Array("{}".utf8), message.metadata, message.content]
        return [JupyterWire.delimiter, signature(parts)] + parts
    }

    func decode(_ frames: [[UInt8]]) throws(Failure) -> JupyterMessage {
        guard let start = frames.firstIndex(of: JupyterWire.delimiter), frames.count >= start + 6 else {
            throw .incomplete
        }
        let parts = Array(frames[(start + 2)..<(start + 6)])
        guard constantTimeEquals(signature(parts), frames[start + 1]) else { throw .signature }
        let message: JupyterMessage
        do throws(JSONError) {
            let header = try MessageHeader(checkedJSON: parts[0])
            let parent = try MessageHeader(checkedJSON: parts[1])
            message = JupyterMessage(
                id: header.id, type: header.type, parentID: parent.id.isEmpty ? nil : parent.id,
                parentType: parent.type.isEmpty ? nil : parent.type, metadata: parts[2], content: parts[3])
        } catch {
            throw .malformed
        }
        guard !message.id.isEmpty, !message.type.isEmpty else { throw .malformed }
        return message
    }

    private func signature(_ parts: [[UInt8]]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return HMAC.sha256(key: key, parts: parts).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}

/// What we need of a header; a parent header may be empty.
private struct MessageHeader: JSONDecodable {
    var id = ""
    var type = ""

    init(from reader: inout JSONReader) throws(JSONError) {
        guard try reader.beginObject() else { return }
        repeat {
            let key = try reader.key()
            if key.matches("msg_id") {
                id = try reader.string()
            } else if key.matches("msg_type") {
                type = try reader.string()
            } else {
                try reader.skip()
            }
        } while try reader.nextKey()
    }
}
