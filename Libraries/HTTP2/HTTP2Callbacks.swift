internal import CNghttp2
internal import HTTPMessage

// What libnghttp2 calls while it reads or writes. Callbacks only record; what follows from it is done by whoever reads
// the events afterwards, because the library forbids to be pumped from inside a callback.

/// One table for all connections, made once and never changed.
nonisolated(unsafe) let sharedCallbacks: OpaquePointer? = makeCallbacks()

private func makeCallbacks() -> OpaquePointer? {
    var table: OpaquePointer?
    guard nghttp2_session_callbacks_new(&table) == 0, let table else { return nil }
    nghttp2_session_callbacks_set_on_begin_headers_callback(table) { _, frame, userData in
        guard let frame, let userData else { return 0 }
        return Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef {
            $0.headersBegin(frame.pointee.hd.stream_id, isRequest: frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST)
        }
    }
    nghttp2_session_callbacks_set_on_header_callback(table) {
        session, frame, name, nameLength, value, valueLength, _, userData in
        guard let frame, let userData,
            let pointer = nghttp2_session_get_stream_user_data(session, frame.pointee.hd.stream_id)
        else { return 0 }
        let name = UnsafeBufferPointer(start: name, count: nameLength)
        let value = UnsafeBufferPointer(start: value, count: valueLength)
        return Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef { connection in
            Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef { stream in
                connection.field(stream, name, value)
            }
        }
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) { session, _, id, bytes, count, userData in
        guard let userData else { return 0 }
        let stream = nghttp2_session_get_stream_user_data(session, id).map {
            Unmanaged<HTTP2Stream>.fromOpaque($0).takeUnretainedValue()
        }
        Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef {
            $0.bodyBytes(stream, id, UnsafeBufferPointer(start: bytes, count: count))
        }
        return 0
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(table) { session, frame, userData in
        guard let frame, let userData else { return 0 }
        return Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef {
            $0.frameReceived(frame)
        }
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(table) { session, id, code, userData in
        guard let userData, let pointer = nghttp2_session_get_stream_user_data(session, id) else { return 0 }
        let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
        Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef {
            $0.streamClosed(stream, HTTP2ErrorCode(rawValue: code))
        }
        return 0
    }
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table) { _, frame, _, userData in
        guard let frame, let userData, frame.pointee.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) else { return 0 }
        Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef {
            $0.headersNotSent(frame.pointee.hd.stream_id)
        }
        return 0
    }
    return table
}

/// Gives libnghttp2 the next bytes of a stream's body.
let bodyProvider: nghttp2_data_source_read_callback = { session, id, buffer, capacity, flags, _, userData in
    guard let userData, let buffer, let flags, let pointer = nghttp2_session_get_stream_user_data(session, id) else {
        return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    return Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef { stream in
        let count = stream.dequeue(into: buffer, capacity)
        if stream.unsentBytes == 0 {
            if stream.outboundEnded {
                flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
                if !stream.inboundEnded {
                    Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef { $0.sentFirst(stream) }
                }
            } else if count == 0 {
                stream.outboundDeferred = true
                return Int(NGHTTP2_ERR_DEFERRED.rawValue)
            }
        }
        if stream.writerWaits {
            Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef { $0.outboundShrank(stream) }
        }
        return count
    }
}
