#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

int platform_timer_make(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

void platform_timer_set(int timer, int64_t nanoseconds) {
    // A time of zero would disarm it.
    if (nanoseconds < 1) nanoseconds = 1;
    struct itimerspec time = {{0, 0}, {nanoseconds / 1000000000, nanoseconds % 1000000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &time, NULL);
}

int platform_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int platform_pipe(int ends[2], bool nonblocking) {
    return pipe2(ends, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0));
}

bool platform_is_being_written(const char *path) {
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return false;
    // A lease for reading is given only while nobody writes. Whoever wants to write while we have it, for a moment,
    // would have the kernel send a signal that ends the process; this one is ignored by default.
    fcntl(file, F_SETSIG, SIGURG);
    bool written = fcntl(file, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
    if (!written) fcntl(file, F_SETLEASE, F_UNLCK);
    close(file);
    return written;
}

static _Thread_local void *current_loop;

void *platform_loop_get(void) { return current_loop; }
void platform_loop_set(void *loop) { current_loop = loop; }

int platform_pin_thread(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}
