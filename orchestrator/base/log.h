/*
 * orchestrator/base/log.h
 *   One line per event: JSON on a pipe, text on a terminal. Never payloads or secrets.
 *
 *     log_event(LOG_INFO, "node_adopted", "node=%d sagas=%zu", node, count);
 *
 * The event code is a constant; the format is `name=value` pairs. A value with spaces is put in
 * double quotes by the caller's format ("reason=\"%s\""); the logger escapes what it prints.
 */
#ifndef ORCHESTRATOR_BASE_LOG_H
#define ORCHESTRATOR_BASE_LOG_H

#include "sagas/base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *ret_level);
__attribute__((format(printf, 3, 4))) void log_event(enum log_level level, const char *event,
                                                     const char *format, ...);

#endif
