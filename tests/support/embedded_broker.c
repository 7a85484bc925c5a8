/*
 * tests/support/embedded_broker.c
 *   saga-embedded-broker [TOPIC...]: the broker of `sagad dev` as a process of its own, so that it
 *   outlives the sagad that a test kills. Prints its address and stays until SIGTERM.
 */
#include "orchestrator/bus/embedded.h"

#include <signal.h>
#include <stdio.h>

enum { PARTITIONS = 4 };

static sigset_t block_stop_signals(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL);
    return stop;
}

int main(int argc, char **argv)
{
    const sigset_t stop = block_stop_signals();
    struct embedded_broker *broker = NULL;
    struct err err = {0};
    bool ready = embedded_start(&broker, &err);
    for (int i = 1; ready && i < argc; i++) {
        ready = embedded_topic(broker, argv[i], PARTITIONS, &err);
    }
    if (!ready) {
        (void)fprintf(stderr, "saga-embedded-broker: %s\n", err.text);
        embedded_stop(broker);
        return 1;
    }
    (void)printf("%s\n", embedded_brokers(broker));
    (void)fflush(stdout);

    int number = 0;
    (void)sigwait(&stop, &number);
    embedded_stop(broker);
    return 0;
}
