# From a log of `swift test`: what failed, where and why, and which tests began without an end. Thousands of lines lie
# between a failure and the end. Only the last command's part counts, which begins at a line with "$ " or "=== ".
/^=== / || /^[$] / { text = ""; delete begun; next }
/✘|↳ [^TS]|error:|Fatal error|WARNING: ThreadSanitizer|ERROR: AddressSanitizer/ { text = text substr($0, 1, 600) "\n" }
/^◇ Test .* started[.]$/ && !/^◇ Test (run|case) / {
    name = $0
    sub(/^◇ Test /, "", name)
    sub(/ started[.]$/, "", name)
    begun[name]++
}
/^(✔|✘) Test .* (passed|failed) after / && !/^(✔|✘) Test (run|case) / {
    name = $0
    sub(/^(✔|✘) Test /, "", name)
    sub(/ (with [0-9]+ test cases? )?(passed|failed) after .*/, "", name)
    begun[name]--
}
END {
    printf "%s", text
    for (name in begun) if (begun[name] > 0) print "Without an end: " name
}
