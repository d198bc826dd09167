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
#include <sys/timerfd.h>
#include <sys/types.h>
#include <time.h>

/// timerfd_create(2) on the monotonic clock, non-blocking and close-on-exec; -1 and errno.
int platform_timer_make(void);
/// Lets the timer fire once at that time of the monotonic clock, or at once when it has passed.
void platform_timer_set(int timer, int64_t nanoseconds);

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.
int platform_accept(int listener, struct sockaddr *address, socklen_t *length);

/// pipe2(2) with O_CLOEXEC, and O_NONBLOCK when asked.
int platform_pipe(int ends[2], bool nonblocking);

/// Whether another open file description writes the file; false when the kernel does not tell.
bool platform_is_being_written(const char *path);

/// The event loop that runs on this thread, or NULL.
void *platform_loop_get(void);
void platform_loop_set(void *loop);

/// Binds this thread to one processor. 0 or errno.
int platform_pin_thread(int processor);

/// setrlimit(2) for a new process.
struct platform_limit {
    int resource;
    uint64_t soft;
    uint64_t hard;
};

/// Whose process group a new process joins.
enum platform_group { PLATFORM_GROUP_INHERITED = 0, PLATFORM_GROUP_OWN = 1, PLATFORM_GROUP_SESSION = 2 };

/// What failed between vfork and exec.
enum platform_spawn_stage {
    PLATFORM_STAGE_NONE = 0,
    PLATFORM_STAGE_FORK = 1,
    PLATFORM_STAGE_GROUP = 2,
    PLATFORM_STAGE_PARENT_DEATH = 3,
    PLATFORM_STAGE_LIMIT = 4,
    PLATFORM_STAGE_NICE = 5,
    PLATFORM_STAGE_DIRECTORY = 6,
    PLATFORM_STAGE_DESCRIPTORS = 7,
    PLATFORM_STAGE_EXECUTE = 8,
    PLATFORM_STAGE_PIDFD = 9
};

#define PLATFORM_SPAWN_DESCRIPTORS 16

/// How a process is to be made. Everything but `directory` and `limits` is required.
struct platform_spawn_request {
    const char *path;
    char *const *arguments;
    char *const *environment;
    /// NULL keeps the caller's.
    const char *directory;
    /// The caller's descriptors that become 0, 1, 2, ... of the child; at most PLATFORM_SPAWN_DESCRIPTORS.
    const int *descriptors;
    int descriptor_count;
    enum platform_group group;
    /// Sent by the kernel when the thread that called platform_spawn ends; 0 for none.
    int parent_death_signal;
    /// Added to the caller's niceness.
    int nice;
    const struct platform_limit *limits;
    int limit_count;
};

/// Makes a process by vfork(2) and execve(2), with default signal handling and no descriptor but those named.
/// Returns its id and a pidfd, or -1 with the stage that failed and its errno.
pid_t platform_spawn(const struct platform_spawn_request *spawn, int *pidfd, int *stage, int *error);

/// pidfd_open(2) with close-on-exec; -1 and errno.
int platform_pidfd_open(pid_t pid);

/// pidfd_send_signal(2); 0, or -1 and errno.
int platform_pidfd_signal(int pidfd, int signal);

/// Takes the exit status of a child that has ended: 1 when taken, 0 when it still runs, -1 and errno. `how` is one of
/// CLD_EXITED, CLD_KILLED, CLD_DUMPED; `value` the exit code or the signal.
int platform_pidfd_reap(int pidfd, int *how, int *value);

/// Makes sure that the kernel keeps exit statuses for us and that writing to a closed pipe is an error, not a death.
void platform_prepare_spawning(void);

/// Receives one datagram and who the kernel says has sent it. The length, or -1 with errno.
ssize_t platform_receive_from(int socket, void *buffer, size_t capacity, pid_t *sender, uid_t *user);

#endif
