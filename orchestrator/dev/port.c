#include "orchestrator/dev/port.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

bool port_is_free(int port)
{
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    const int on = 1;
    (void)setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const bool is_free = bind(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(probe);
    return is_free;
}
