#define _GNU_SOURCE
#include "CPlatform.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

ssize_t platform_receive_from(int socket, void *buffer, size_t capacity, pid_t *sender, uid_t *user) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {buffer, capacity};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    *sender = 0;
    *user = (uid_t)-1;
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) return length;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_CREDENTIALS) continue;
        struct ucred credentials;
        memcpy(&credentials, CMSG_DATA(item), sizeof credentials);
        *sender = credentials.pid;
        *user = credentials.uid;
    }
    return length;
}
