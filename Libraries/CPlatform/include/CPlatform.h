// What Glibc's Swift module leaves out of Linux: epoll, pidfd, process death signals, thread-local loop pointer.
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

/// epoll_pwait2(2) with nanosecond timeout; -1 waits for ever. Falls back to epoll_wait on kernels before 5.11.
int platform_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout_nanoseconds);

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.
int platform_accept(int listener, struct sockaddr *address, socklen_t *length);

/// pipe2(2) with O_CLOEXEC, and O_NONBLOCK when asked.
int platform_pipe(int ends[2], bool nonblocking);

/// The event loop that runs on this thread, or NULL.
void *platform_loop_get(void);
void platform_loop_set(void *loop);

/// Binds this thread to one processor. 0 or errno.
int platform_pin_thread(int processor);

#endif
