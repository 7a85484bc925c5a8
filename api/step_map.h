/*
 * api/step_map.h
 *   {"step": "its id in another version"}: as a migration takes it.
 */
#ifndef API_STEP_MAP_H
#define API_STEP_MAP_H

#include "api/exchange.h"
#include "sagas/base/json_view.h"
#include "sagas/machine/migrate.h"

struct step_map {
    struct step_move *moves;
    size_t count;
};

/* `view` NULL: none. False: refused at /step_map. Borrows from the view. */
bool step_map_read(struct refusal *refusal, const struct json_view *view, struct step_map *ret_map);
/*
 * It moves steps of some version of `to` to steps of that one. False: refused, or, with
 * *ret_failed, the versions cannot be read (err says).
 */
bool step_map_fits(struct exchange *exchange, struct store *store, const struct step_map *map,
                   const struct definition *to, bool *ret_failed, struct err *err);

#endif
