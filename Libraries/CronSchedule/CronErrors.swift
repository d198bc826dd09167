public import Core

extension ErrorCode {
    /// A cron expression is not one; the message names the field and what it may hold.
    public static let invalidCronExpression = ErrorCode("INVALID_CRON_EXPRESSION", status: 400)
    /// No zone of that name is in the system's time zone database, or its file is damaged.
    public static let invalidTimeZone = ErrorCode("INVALID_TIME_ZONE", status: 400)
}

/// Outside text made fit for a message: printable ASCII in quotes, cut after 80 characters.
func quoted(_ text: some StringProtocol) -> String {
    var shown = "\""
    for (index, byte) in text.utf8.enumerated() {
        if index == 80 { return shown + "...\"" }
        shown.unicodeScalars.append(byte >= 0x20 && byte < 0x7f ? Unicode.Scalar(byte) : "?")
    }
    return shown + "\""
}
