/*
 * cli/states.h
 *   What the states of sagas and steps mean to a reader. An unknown state is shown as it is.
 */
#ifndef CLI_STATES_H
#define CLI_STATES_H

#include "cli/terminal.h"

enum ending {
    ENDING_NONE,  /* it goes on by itself */
    ENDING_GOOD,  /* succeeded */
    ENDING_OTHER, /* compensated, terminated, or stuck: an operator has to act */
};

enum ending saga_ending(struct bytes state);
enum style saga_state_style(struct bytes state);
enum style step_state_style(struct bytes state);
/* False for steps that wait, are under way, or will be tried again. */
bool step_is_settled(struct bytes state);

#endif
