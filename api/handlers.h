/*
 * api/handlers.h
 *   What routes.c names: one function for a resource's verb. Each file has its resource.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "api/exchange.h"

/* `verb` of the routes of definition_switch. */
enum { SWITCH_PAUSE, SWITCH_RESUME, SWITCH_DEPRECATE, SWITCH_RESTORE };

route_handler saga_start;      /* saga_start.c */
route_handler saga_start_bulk; /* saga_bulk.c */
route_handler saga_list;       /* saga_list.c */
route_handler saga_count;
route_handler saga_show; /* sagas.c */
route_handler saga_steps;
route_handler saga_step;
route_handler saga_history; /* saga_history.c */
route_handler saga_why_show;
route_handler saga_stream;       /* saga_stream.c */
route_handler event_stream;      /* event_stream.c */
route_handler saga_export;       /* saga_export.c */
route_handler saga_command;      /* saga_commands.c */
route_handler saga_preview;      /* saga_preview.c */
route_handler saga_fork;         /* saga_fork.c */
route_handler saga_signal_match; /* saga_signals.c */

route_handler definition_register; /* definitions.c */
route_handler definition_validate;
route_handler definition_simulate;
route_handler definition_impact; /* definition_impact.c */
route_handler definition_list;
route_handler definition_newest;
route_handler definition_versions;
route_handler definition_version;
route_handler definition_switch;
route_handler definition_asyncapi; /* definition_asyncapi.c */

route_handler topic_list; /* topics.c; `verb` of topic_switch: enum topic_verb */
route_handler topic_show;
route_handler topic_switch;

route_handler dead_letter_list; /* dead_letters.c */
route_handler dead_letter_show;
route_handler dead_letter_replay;
route_handler dead_letter_discard;

route_handler exposure_show; /* exposure.c */

route_handler failure_list; /* failures.c */
route_handler failure_show;
route_handler lock_list; /* locks.c */

/* `verb` of the routes of batch_steer. */
enum { STEER_PAUSE, STEER_RESUME, STEER_STOP };

route_handler batch_create; /* batches.c */
route_handler batch_list;
route_handler batch_show;
route_handler batch_items;
route_handler batch_steer;
route_handler schedule_list; /* schedules.c */
route_handler schedule_show;
route_handler schedule_preview;
route_handler schedule_history;
route_handler schedule_create; /* schedule_changes.c */
route_handler schedule_replace;
route_handler schedule_delete;
route_handler schedule_pause;
route_handler schedule_resume;
route_handler schedule_trigger;

route_handler reply_take; /* replies.c */

route_handler meta_livez; /* meta.c */
route_handler meta_readyz;
route_handler meta_metrics;
route_handler meta_version;
route_handler meta_openapi;
route_handler meta_asyncapi;
route_handler meta_schema;
route_handler meta_problems;
route_handler meta_problem;

/* An exchange that waited (waiters.h): of a GET, of a start. */
route_handler saga_waited;
route_handler saga_start_waited;

#endif
