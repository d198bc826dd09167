#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// waitid's P_PIDFD is an enumerator of glibc's, not of every header set we may be built with.
#define WAIT_PIDFD 3

int platform_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int platform_pidfd_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int platform_pidfd_reap(int pidfd, int *how, int *value) {
    siginfo_t info;
    info.si_pid = 0;
    int status;
    do {
        status = waitid((idtype_t)WAIT_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
    } while (status != 0 && errno == EINTR);
    if (status != 0) return -1;
    if (info.si_pid == 0) return 0;
    *how = info.si_code;
    *value = info.si_status;
    return 1;
}

void platform_prepare_spawning(void) {
    struct sigaction action;
    // Inherited from a parent that ignored it, this would make the kernel throw exit statuses away.
    if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN) signal(SIGCHLD, SIG_DFL);
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
}

static void close_from(int first) {
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
    // Only on kernels before 5.9. All descriptors of ours are close-on-exec, so this loop is the second line.
    struct rlimit limit;
    int last = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
    for (int descriptor = first; descriptor < last; descriptor++) close(descriptor);
}

static int arrange_descriptors(const struct platform_spawn_request *spawn) {
    int raised[PLATFORM_SPAWN_DESCRIPTORS];
    int count = spawn->descriptor_count;
    // Out of the way first: a source may have the number of another's target.
    for (int index = 0; index < count; index++) {
        raised[index] = fcntl(spawn->descriptors[index], F_DUPFD_CLOEXEC, count);
        if (raised[index] < 0) return -1;
    }
    for (int index = 0; index < count; index++)
        if (dup2(raised[index], index) < 0) return -1;
    close_from(count);
    return 0;
}

static void default_signals(void) {
    // The kernel's own structure, all zero: default handler, no flags, empty mask. Not by sigaction(3), which refuses
    // the two signals that the C library keeps for itself, and those may have come to us ignored too.
    unsigned long action[8] = {0};
    for (int number = 1; number < NSIG; number++) syscall(SYS_rt_sigaction, number, action, NULL, (size_t)8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/// Runs in the child, on the parent's memory: system calls and the stack only. Returns the stage that failed.
static int prepare_and_execute(const struct platform_spawn_request *spawn, pid_t parent) {
    if (spawn->group == PLATFORM_GROUP_OWN && setpgid(0, 0) != 0) return PLATFORM_STAGE_GROUP;
    if (spawn->group == PLATFORM_GROUP_SESSION && setsid() < 0) return PLATFORM_STAGE_GROUP;
    if (spawn->parent_death_signal != 0) {
        if (prctl(PR_SET_PDEATHSIG, spawn->parent_death_signal, 0, 0, 0) != 0) return PLATFORM_STAGE_PARENT_DEATH;
        // The parent may have been killed before prctl took effect.
        if (getppid() != parent) _exit(127);
    }
    if (spawn->nice != 0) {
        errno = 0;
        if (nice(spawn->nice) == -1 && errno != 0) return PLATFORM_STAGE_NICE;
    }
    if (spawn->directory != NULL && chdir(spawn->directory) != 0) return PLATFORM_STAGE_DIRECTORY;
    if (arrange_descriptors(spawn) != 0) return PLATFORM_STAGE_DESCRIPTORS;
    // After the descriptors: a parent with many open ones would leave no number below a lower limit to move them by.
    for (int index = 0; index < spawn->limit_count; index++) {
        struct rlimit limit = {spawn->limits[index].soft, spawn->limits[index].hard};
        if (setrlimit((__rlimit_resource_t)spawn->limits[index].resource, &limit) != 0) return PLATFORM_STAGE_LIMIT;
    }
    default_signals();
    execve(spawn->path, spawn->arguments, spawn->environment);
    return PLATFORM_STAGE_EXECUTE;
}

pid_t platform_spawn(const struct platform_spawn_request *spawn, int *pidfd, int *stage, int *error) {
    // The child shares our memory until exec, so its findings arrive in these two without a pipe.
    volatile int failed_stage = PLATFORM_STAGE_NONE;
    volatile int failed_error = 0;
    sigset_t all, before;
    sigfillset(&all);
    // A handler that ran in the child would run on our memory.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t pid = vfork();
    if (pid == 0) {
        failed_stage = prepare_and_execute(spawn, parent);
        failed_error = errno;
        _exit(127);
    }
    int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *error = pid < 0 ? fork_error : failed_error;
    *stage = pid < 0 ? PLATFORM_STAGE_FORK : failed_stage;
    if (pid < 0) return -1;
    if (failed_stage == PLATFORM_STAGE_NONE) {
        // Nobody but us waits for this child, so the number is still its own.
        *pidfd = platform_pidfd_open(pid);
        if (*pidfd >= 0) return pid;
        *error = errno;
        *stage = PLATFORM_STAGE_PIDFD;
        kill(pid, SIGKILL);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    return -1;
}
