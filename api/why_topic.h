/*
 * api/why_topic.h
 *   What a saga's topic has to do with why it stands where it stands.
 */
#ifndef API_WHY_TOPIC_H
#define API_WHY_TOPIC_H

#include "api/exchange.h"
#include "sagas/machine/why.h"

/* Where its topic is paused, its circuit is not closed, or others go first, `why` says so. */
void why_add_topic(struct exchange *exchange, const struct saga *saga, struct why *why);

#endif
