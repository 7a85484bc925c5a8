#include "sagas/machine/tables.h"

#include <assert.h>
#include <stdlib.h>

/* clang-format off */
static const struct saga_transition SAGA_TRANSITIONS[SAGA_STATE_COUNT][SAGA_EVENT_COUNT] = {
    [SAGA_PENDING] = {
        [SAGA_GO]              = { SAGA_RUNNING,      "saga.started"          },
        [SAGA_QUEUE]           = { SAGA_PENDING,      "saga.lock_queued"      },
        [SAGA_GRANT]           = { SAGA_PENDING,      "saga.lock_granted"     },
        [SAGA_TURN_BACK]       = { SAGA_COMPENSATING, "saga.compensating"     },
        [SAGA_HOLD]            = { SAGA_PENDING,      "saga.paused"           },
        [SAGA_CANCEL]          = { SAGA_PENDING,      "saga.cancel_requested" },
        [SAGA_PAUSE]           = { SAGA_PENDING,      "saga.paused"           },
        [SAGA_RESUME]          = { SAGA_PENDING,      "saga.resumed"          },
        [SAGA_TERMINATE]       = { SAGA_TERMINATED,   "saga.terminated"       },
        [SAGA_STEP_VERB]       = { SAGA_PENDING,      ""                      },
    },
    [SAGA_RUNNING] = {
        [SAGA_ALL_DONE]        = { SAGA_SUCCEEDED,    "saga.succeeded"        },
        [SAGA_TURN_BACK]       = { SAGA_COMPENSATING, "saga.compensating"     },
        [SAGA_BLOCKED]         = { SAGA_STUCK,        "saga.stuck"            },
        [SAGA_PIVOT_WON]       = { SAGA_RUNNING,      "saga.resumed"          },
        [SAGA_HOLD]            = { SAGA_RUNNING,      "saga.paused"           },
        [SAGA_OVERDUE]         = { SAGA_RUNNING,      "saga.overdue"          },
        [SAGA_CANCEL]          = { SAGA_RUNNING,      "saga.cancel_requested" },
        [SAGA_PAUSE]           = { SAGA_RUNNING,      "saga.paused"           },
        [SAGA_RESUME]          = { SAGA_RUNNING,      "saga.resumed"          },
        [SAGA_TERMINATE]       = { SAGA_TERMINATED,   "saga.terminated"       },
        [SAGA_STEP_VERB]       = { SAGA_RUNNING,      ""                      },
    },
    [SAGA_COMPENSATING] = {
        [SAGA_ALL_UNDONE]      = { SAGA_COMPENSATED,  "saga.compensated"      },
        [SAGA_BLOCKED]         = { SAGA_STUCK,        "saga.stuck"            },
        [SAGA_PAUSE]           = { SAGA_COMPENSATING, "saga.paused"           },
        [SAGA_RESUME]          = { SAGA_COMPENSATING, "saga.resumed"          },
        [SAGA_TERMINATE]       = { SAGA_TERMINATED,   "saga.terminated"       },
        [SAGA_STEP_VERB]       = { SAGA_COMPENSATING, ""                      },
    },
    /* Only an operator gets a saga out of here; what else goes on in it goes on. */
    [SAGA_STUCK] = {
        [SAGA_TURN_BACK]       = { SAGA_STUCK,        "saga.compensating"     },
        [SAGA_UNBLOCKED_AHEAD] = { SAGA_RUNNING,      "saga.resumed"          },
        [SAGA_UNBLOCKED_BACK]  = { SAGA_COMPENSATING, "saga.resumed"          },
        [SAGA_PIVOT_WON]       = { SAGA_STUCK,        "saga.resumed"          },
        [SAGA_HOLD]            = { SAGA_STUCK,        "saga.paused"           },
        [SAGA_RESUME]          = { SAGA_STUCK,        "saga.resumed"          },
        [SAGA_RETRY]           = { SAGA_STUCK,        ""                      },
        [SAGA_TERMINATE]       = { SAGA_TERMINATED,   "saga.terminated"       },
        [SAGA_STEP_VERB]       = { SAGA_STUCK,        ""                      },
    },
    /* succeeded, compensated, terminated: nothing happens to them any more. */
};

static const struct run_transition RUN_TRANSITIONS[STEP_STATE_COUNT][RUN_EVENT_COUNT] = {
    [STEP_WAITING] = {
        [RUN_REACHED]     = { STEP_READY,      ""               },
        [RUN_DONE]        = { STEP_SUCCEEDED,  "step.succeeded" }, /* a foreach over nothing */
        [RUN_NO_EFFECT]   = { STEP_FAILED,     "step.failed"    }, /* an expression went wrong */
        [RUN_SKIP]        = { STEP_SKIPPED,    "step.skipped"   },
        [RUN_NEVER_RAN]   = { STEP_SKIPPED,    ""               },
    },
    [STEP_READY] = {
        [RUN_SENT]        = { STEP_DISPATCHED, "step.dispatched" },
        [RUN_DONE]        = { STEP_SUCCEEDED,  "step.succeeded"  }, /* it was out before */
        [RUN_NO_EFFECT]   = { STEP_FAILED,     "step.failed"     },
        [RUN_NO_ANSWER]   = { STEP_UNKNOWN,    "step.unknown"    },
        [RUN_SKIP]        = { STEP_SKIPPED,    "step.skipped"    },
        [RUN_NEVER_RAN]   = { STEP_SKIPPED,    ""                },
        [RUN_PROBE]       = { STEP_RETRYING,   "step.retry_scheduled" },
    },
    [STEP_DISPATCHED] = {
        [RUN_PROGRESS]    = { STEP_DISPATCHED, "step.progress"        },
        [RUN_PROMISED]    = { STEP_DISPATCHED, "step.pending"         },
        [RUN_RETRY]       = { STEP_RETRYING,   "step.retry_scheduled" },
        [RUN_DONE]        = { STEP_SUCCEEDED,  "step.succeeded"       },
        [RUN_NO_EFFECT]   = { STEP_FAILED,     "step.failed"          },
        [RUN_NO_ANSWER]   = { STEP_UNKNOWN,    "step.unknown"         },
        [RUN_DROPPED]     = { STEP_SKIPPED,    "step.skipped"         },
        [RUN_PROBE]       = { STEP_RETRYING,   "step.retry_scheduled" },
    },
    [STEP_RETRYING] = {
        [RUN_SENT]        = { STEP_DISPATCHED, "step.dispatched" },
        [RUN_DONE]        = { STEP_SUCCEEDED,  "step.succeeded"  }, /* an older attempt after all */
        [RUN_NO_EFFECT]   = { STEP_FAILED,     "step.failed"     },
        [RUN_NO_ANSWER]   = { STEP_UNKNOWN,    "step.unknown"    },
        [RUN_SKIP]        = { STEP_SKIPPED,    "step.skipped"    },
        [RUN_PROBE]       = { STEP_RETRYING,   "step.retry_scheduled" },
    },
    [STEP_SUCCEEDED] = {
        [RUN_UNDO_SENT]   = { STEP_COMPENSATING,        "step.dispatched" },
        [RUN_UNDONE]      = { STEP_COMPENSATED,         "step.succeeded"  }, /* nothing to undo */
        [RUN_UNDO_FAILED] = { STEP_COMPENSATION_FAILED, "step.failed"     },
    },
    [STEP_FAILED] = {
        [RUN_SENT]        = { STEP_DISPATCHED, "step.dispatched" },
        [RUN_DONE]        = { STEP_SUCCEEDED,  "step.succeeded"  },
        [RUN_NO_EFFECT]   = { STEP_FAILED,     "step.failed"     },
        [RUN_SKIP]        = { STEP_SKIPPED,    "step.skipped"    },
        [RUN_REOPENED]    = { STEP_READY,      "step.ready"      },
        [RUN_RESET]       = { STEP_WAITING,    "step.ready"      },
    },
    /* Nobody knows whether it took effect, so it is undone like one that did. */
    [STEP_UNKNOWN] = {
        [RUN_SENT]        = { STEP_DISPATCHED,          "step.dispatched" },
        [RUN_DONE]        = { STEP_SUCCEEDED,           "step.succeeded"  },
        [RUN_NO_EFFECT]   = { STEP_FAILED,              "step.failed"     },
        [RUN_NO_ANSWER]   = { STEP_UNKNOWN,             "step.unknown"    },
        [RUN_SKIP]        = { STEP_SKIPPED,             "step.skipped"    },
        [RUN_REOPENED]    = { STEP_READY,               "step.ready"      },
        [RUN_UNDO_SENT]   = { STEP_COMPENSATING,        "step.dispatched" },
        [RUN_UNDONE]      = { STEP_COMPENSATED,         "step.succeeded"  },
        [RUN_UNDO_FAILED] = { STEP_COMPENSATION_FAILED, "step.failed"     },
    },
    [STEP_COMPENSATING] = {
        [RUN_PROGRESS]    = { STEP_COMPENSATING,         "step.progress"        },
        [RUN_PROMISED]    = { STEP_COMPENSATING,         "step.pending"         },
        [RUN_UNDO_SENT]   = { STEP_COMPENSATING,         "step.dispatched"      },
        [RUN_UNDO_RETRY]  = { STEP_COMPENSATING,         "step.retry_scheduled" },
        [RUN_UNDONE]      = { STEP_COMPENSATED,          "step.succeeded"       },
        [RUN_UNDO_FAILED] = { STEP_COMPENSATION_FAILED,  "step.failed"          },
        [RUN_UNDO_WAIVED] = { STEP_COMPENSATION_SKIPPED, "step.skipped"         },
    },
    [STEP_COMPENSATION_FAILED] = {
        [RUN_UNDO_SENT]   = { STEP_COMPENSATING,         "step.dispatched" },
        [RUN_UNDO_FAILED] = { STEP_COMPENSATION_FAILED,  "step.failed"     },
        [RUN_UNDO_WAIVED] = { STEP_COMPENSATION_SKIPPED, "step.skipped"    },
    },
    /* skipped, compensated, compensation_skipped: settled for good. */
};
/* clang-format on */

struct saga_transition saga_transition(enum saga_state state, enum saga_event event)
{
    assert(state < SAGA_STATE_COUNT && event < SAGA_EVENT_COUNT);
    return SAGA_TRANSITIONS[state][event];
}

struct run_transition run_transition(enum step_state state, enum run_event event)
{
    assert(state < STEP_STATE_COUNT && event < RUN_EVENT_COUNT);
    return RUN_TRANSITIONS[state][event];
}

const char *saga_event_name(enum saga_event event)
{
    switch (event) {
    case SAGA_GO: return "its time has come";
    case SAGA_QUEUE: return "it gets in line";
    case SAGA_GRANT: return "it is its turn";
    case SAGA_ALL_DONE: return "every step is through";
    case SAGA_TURN_BACK: return "refusal, cancel or deadline";
    case SAGA_PIVOT_WON: return "the pivot was faster";
    case SAGA_ALL_UNDONE: return "nothing is left to undo";
    case SAGA_BLOCKED: return "a step needs an operator";
    case SAGA_UNBLOCKED_AHEAD: return "decided, goes forward";
    case SAGA_UNBLOCKED_BACK: return "decided, is being undone";
    case SAGA_HOLD: return "the definition says pause";
    case SAGA_OVERDUE: return "deadline past the pivot";
    case SAGA_CANCEL: return "cancel";
    case SAGA_CANCEL_PAST_PIVOT: return "cancel past the pivot";
    case SAGA_PAUSE: return "pause";
    case SAGA_PAUSE_PAUSED: return "pause while paused";
    case SAGA_RESUME: return "resume";
    case SAGA_RESUME_UNPAUSED: return "resume while not paused";
    case SAGA_RETRY: return "retry";
    case SAGA_RETRY_NOTHING: return "retry with nothing to send";
    case SAGA_TERMINATE: return "terminate";
    case SAGA_STEP_VERB: return "a verb on a step";
    case SAGA_EVENT_COUNT: break;
    }
    abort();
}

const char *run_event_name(enum run_event event)
{
    switch (event) {
    case RUN_REACHED: return "reached";
    case RUN_SENT: return "sent";
    case RUN_PROGRESS: return "progress";
    case RUN_PROMISED: return "pending";
    case RUN_RETRY: return "next attempt planned";
    case RUN_DONE: return "success";
    case RUN_NO_EFFECT: return "no effect";
    case RUN_NO_ANSWER: return "no answer";
    case RUN_SKIP: return "skip";
    case RUN_NEVER_RAN: return "saga ended";
    case RUN_DROPPED: return "dropped";
    case RUN_PROBE: return "probe planned";
    case RUN_REOPENED: return "reopened";
    case RUN_RESET: return "reset";
    case RUN_UNDO_SENT: return "undo sent";
    case RUN_UNDO_RETRY: return "next undo planned";
    case RUN_UNDONE: return "undone";
    case RUN_UNDO_FAILED: return "undo failed";
    case RUN_UNDO_WAIVED: return "undo waived";
    case RUN_EVENT_COUNT: break;
    }
    abort();
}
