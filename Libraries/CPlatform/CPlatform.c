#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static atomic_bool without_pwait2;

int platform_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout_nanoseconds) {
    if (!atomic_load_explicit(&without_pwait2, memory_order_relaxed)) {
        struct timespec limit = {timeout_nanoseconds / 1000000000, timeout_nanoseconds % 1000000000};
        int count = epoll_pwait2(epoll, events, capacity, timeout_nanoseconds < 0 ? NULL : &limit, NULL);
        if (count >= 0 || errno != ENOSYS) return count;
        atomic_store_explicit(&without_pwait2, true, memory_order_relaxed);
    }
    int64_t milliseconds = (timeout_nanoseconds + 999999) / 1000000;
    if (milliseconds > INT32_MAX) milliseconds = INT32_MAX;
    return epoll_wait(epoll, events, capacity, timeout_nanoseconds < 0 ? -1 : (int)milliseconds);
}

int platform_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int platform_pipe(int ends[2], bool nonblocking) {
    return pipe2(ends, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0));
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
