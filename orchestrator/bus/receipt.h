/*
 * orchestrator/bus/receipt.h
 *   The producer's side of a receipt (bus.h). Private to orchestrator/bus.
 */
#ifndef ORCHESTRATOR_BUS_RECEIPT_H
#define ORCHESTRATOR_BUS_RECEIPT_H

#include "orchestrator/bus/bus.h"

/* One record more is under way. */
void receipt_add(struct bus_receipt *receipt);
/* One is not any more. Thread-safe. */
void receipt_settle(struct bus_receipt *receipt, bool delivered);

#endif
