/*
 * participants/c/echo.c
 *   A participant that says success to everything; for tests and measurements.
 */
#include "participants/c/participant.h"

#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char USAGE[] =
    "saga-participant-echo --brokers B --topics a,b --group g\n"
    "  --fail-step NAME   answer failure (code echo_failed) to the action of this step\n"
    "  --delay-ms N       answer N ms after the command came\n"
    "  --set name=value,. further librdkafka settings\n";

/* An answer that waits for its time. The delay is the same for all, so first in is first out. */
struct waiting {
    struct participant_promise *promise;
    struct participant_reply reply;
    struct timespec due;
    struct waiting *next;
};

struct echo {
    const char *fail_step;
    long delay_ms;
    pthread_mutex_t lock; /* guards the queue and `done` */
    pthread_cond_t came;
    struct waiting *first, **last;
    bool done;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static struct timespec after(long ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void answer_later(struct echo *echo, const struct participant_command *command,
                         struct participant_reply reply)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    if (waiting == NULL) abort();
    *waiting = (struct waiting){
        .promise = participant_keep(command), .reply = reply, .due = after(echo->delay_ms)};
    pthread_mutex_lock(&echo->lock);
    *echo->last = waiting;
    echo->last = &waiting->next;
    pthread_cond_signal(&echo->came);
    pthread_mutex_unlock(&echo->lock);
}

static struct waiting *next_waiting(struct echo *echo)
{
    pthread_mutex_lock(&echo->lock);
    while (echo->first == NULL && !echo->done) {
        pthread_cond_wait(&echo->came, &echo->lock);
    }
    struct waiting *waiting = echo->first;
    if (waiting != NULL) {
        echo->first = waiting->next;
        if (echo->first == NULL) echo->last = &echo->first;
    }
    pthread_mutex_unlock(&echo->lock);
    return waiting;
}

static void *answer_all(void *argument)
{
    struct echo *echo = argument;
    struct waiting *waiting;
    while ((waiting = next_waiting(echo)) != NULL) {
        if (stop == 0) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &waiting->due, NULL);
        participant_answer(waiting->promise, waiting->reply);
        participant_promise_free(waiting->promise);
        free(waiting);
    }
    return NULL;
}

static void finish(struct echo *echo)
{
    pthread_mutex_lock(&echo->lock);
    echo->done = true;
    pthread_cond_signal(&echo->came);
    pthread_mutex_unlock(&echo->lock);
}

static struct participant_reply handle(const struct participant_command *command, void *context)
{
    struct echo *echo = context;
    const bool fails = echo->fail_step != NULL && strcmp(command->op, "action") == 0 &&
                       strcmp(command->step, echo->fail_step) == 0;
    struct participant_reply reply =
        fails ? participant_fail("echo_failed", "Told to fail.") : participant_succeed(NULL);
    if (echo->delay_ms == 0) return reply;
    answer_later(echo, command, reply);
    return participant_say(PARTICIPANT_LATER);
}

static bool read_options(int argc, char **argv, struct participant_options *options,
                         struct echo *echo)
{
    static const struct option NAMES[] = {
        {"brokers",   required_argument, NULL, 'b'},
        {"topics",    required_argument, NULL, 't'},
        {"group",     required_argument, NULL, 'g'},
        {"fail-step", required_argument, NULL, 'f'},
        {"delay-ms",  required_argument, NULL, 'd'},
        {"set",       required_argument, NULL, 's'},
        {NULL,        0,                 NULL, 0  },
    };
    for (int option; (option = getopt_long(argc, argv, "", NAMES, NULL)) != -1;) {
        switch (option) {
        case 'b': options->brokers = optarg; break;
        case 't': options->topics = optarg; break;
        case 'g': options->group = optarg; break;
        case 'f': echo->fail_step = optarg; break;
        case 'd': echo->delay_ms = strtol(optarg, NULL, 10); break;
        case 's': options->settings = optarg; break;
        default: return false;
        }
    }
    return optind == argc && options->brokers != NULL && options->topics != NULL &&
           options->group != NULL && echo->delay_ms >= 0;
}

int main(int argc, char **argv)
{
    struct echo echo = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};
    echo.last = &echo.first;
    const struct participant_handler handlers[] = {
        {"*", handle}
    };
    struct participant_options options = {
        .handlers = handlers, .handler_count = 1, .context = &echo, .stop = &stop};
    if (!read_options(argc, argv, &options, &echo)) {
        fputs(USAGE, stderr);
        return 2;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    struct participant *participant = participant_open(&options);
    if (participant == NULL) return 1;
    pthread_t answerer;
    if (pthread_create(&answerer, NULL, answer_all, &echo) != 0) return 1;
    participant_loop(participant);
    finish(&echo);
    pthread_join(answerer, NULL);
    participant_close(participant);
    return 0;
}
