#include "api/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_SIZE_MAX = 254, PORT_SIZE_MAX = 8 };

struct place_to_listen {
    char host[HOST_SIZE_MAX + 1];
    char port[PORT_SIZE_MAX + 1];
};

static bool split(const char *address, struct place_to_listen *ret_place, struct err *err)
{
    const char *const colon = strrchr(address, ':');
    const char *host = address;
    size_t size = colon == NULL ? 0 : (size_t)(colon - address);
    if (colon == NULL || colon[1] == '\0' || strlen(colon + 1) > PORT_SIZE_MAX ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || size > HOST_SIZE_MAX) {
        return err_set(err, ERR_INVALID,
                       "cannot listen on '%.80s': write host:port, such as "
                       "127.0.0.1:8080",
                       address);
    }
    if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
        host++;
        size -= 2;
    }
    (void)snprintf(ret_place->host, sizeof(ret_place->host), "%.*s", (int)size, host);
    (void)snprintf(ret_place->port, sizeof(ret_place->port), "%s", colon + 1);
    return true;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    return false;
}

static bool describe(int fd, struct listener *listener)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof(bound);
    char host[64];
    char port[8];
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) return false;
    if (getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    listener->socket = fd;
    listener->is_loopback = is_loopback((struct sockaddr *)&bound);
    (void)snprintf(listener->address, sizeof(listener->address),
                   strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    return true;
}

static int open_one(const struct addrinfo *info)
{
    const int yes = 1;
    const int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
    const int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static const char *cure(int error)
{
    switch (error) {
    case EADDRINUSE: return "another program has this port; stop it or choose another port";
    case EACCES: return "ports below 1024 need privileges; choose a higher one";
    case EADDRNOTAVAIL: return "this machine has no such address";
    default: return strerror(error);
    }
}

bool socket_listen(const char *address, struct listener *ret_listener, struct err *err)
{
    struct place_to_listen place = {0};
    if (!split(address, &place, err)) return false;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *infos = NULL;
    const int failed =
        getaddrinfo(place.host[0] == '\0' ? NULL : place.host, place.port, &hints, &infos);
    if (failed != 0) {
        return err_set(err, ERR_INVALID, "cannot listen on '%.80s': %s", address,
                       gai_strerror(failed));
    }
    int fd = -1;
    int error = EADDRNOTAVAIL;
    for (const struct addrinfo *info = infos; info != NULL && fd < 0; info = info->ai_next) {
        fd = open_one(info);
        error = errno;
    }
    freeaddrinfo(infos);
    if (fd < 0) {
        return err_set(err, ERR_INVALID, "cannot listen on '%.80s': %s", address, cure(error));
    }
    if (describe(fd, ret_listener)) return true;
    (void)close(fd);
    return err_set(err, ERR_INTERNAL, "cannot tell the address of '%.80s'", address);
}
