import Core
import CronSchedule

/// The entry that libFuzzer calls: the first four bytes are a time, the rest is an expression. What is read fires after
/// that time and at times that grow.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let bytes, count > 4 else { return 0 }
    let seconds = (0..<4).reduce(0) { $0 << 8 | Int64(bytes[$1]) }
    var last = Timestamp(milliseconds: seconds * 1000)
    do throws(HarbourError) {
        let text = String(decoding: UnsafeBufferPointer(start: bytes + 4, count: count - 4), as: UTF8.self)
        let schedule = CronSchedule(try CronExpression(text), timeZone: .utc)
        for _ in 0..<4 {
            guard let next = schedule.next(after: last) else { return 0 }
            precondition(next > last, "a schedule fires before the time it was asked for")
            last = next
        }
    } catch {
        precondition(error.code == .invalidCronExpression, "an expression was refused as \(error.code.name)")
    }
    return 0
}
