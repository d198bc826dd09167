internal import CNghttp2

extension HTTP2Connection {
    /// The library's own defences, set rather than left to its version's defaults.
    static func makeOptions(_ settings: HTTP2Settings) -> OpaquePointer? {
        var made: OpaquePointer?
        guard nghttp2_option_new(&made) == 0, let options = made else { return nil }
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_closed_streams(options, 1)
        nghttp2_option_set_max_outbound_ack(options, 256)
        nghttp2_option_set_max_settings(options, 32)
        nghttp2_option_set_stream_reset_rate_limit(options, UInt64(settings.resetBurst), UInt64(settings.resetRate))
        nghttp2_option_set_max_continuations(options, settings.maxContinuations)
        nghttp2_option_set_max_send_header_block_length(options, 262_144)
        return options
    }

    func submitSettings() {
        func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
            nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value))
        }
        var entries = [
            entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, min(settings.streamWindow, Int(Int32.max))),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.maxHeaderListSize),
        ]
        if role == .server {
            entries += [
                entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams),
                entry(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1),
                // The priority tree of RFC 7540 is deprecated and a way to keep a server busy.
                entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
            ]
        } else {
            entries += [
                entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0), entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0),
            ]
        }
        // These can only fail without memory, and then the first `produce` says so.
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
        nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(clamping: settings.connectionWindow))
    }
}

extension HTTP2Failure {
    /// The failure behind one of the library's negative results.
    init(code: Int) {
        let code = Int32(truncatingIfNeeded: code)
        let text = String(cString: nghttp2_strerror(code))
        switch code {
        case Int32(NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue): self.init(reason: .notHTTP2, description: text)
        case Int32(NGHTTP2_ERR_FLOODED.rawValue): self.init(reason: .flooded, description: text)
        default: self.init(reason: .internalError, description: text)
        }
    }
}
