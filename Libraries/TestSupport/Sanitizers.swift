internal import Glibc

/// Whether this was built with the thread sanitizer.
public let isThreadSanitized = dlsym(nil, "__tsan_init") != nil

/// Whether this was built with a sanitizer. The same work takes many times as long then, and what is wrong with a piece
/// of code shows in its first rounds: tests that try many values try fewer.
public let isSanitized = isThreadSanitized || dlsym(nil, "__asan_init") != nil
