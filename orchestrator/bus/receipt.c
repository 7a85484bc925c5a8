#include "orchestrator/bus/receipt.h"

#include <stdatomic.h>
#include <stdlib.h>

struct bus_receipt {
    atomic_uint holders; /* the sender, and each record that is under way */
    atomic_bool failed;
};

struct bus_receipt *bus_receipt_new(void)
{
    struct bus_receipt *const receipt = calloc(1, sizeof *receipt);
    if (receipt == NULL) abort();
    atomic_store(&receipt->holders, 1);
    return receipt;
}

void bus_receipt_free(struct bus_receipt *receipt)
{
    if (receipt != NULL && atomic_fetch_sub(&receipt->holders, 1) == 1) free(receipt);
}

void receipt_add(struct bus_receipt *receipt)
{
    atomic_fetch_add(&receipt->holders, 1);
}

void receipt_settle(struct bus_receipt *receipt, bool delivered)
{
    if (!delivered) atomic_store(&receipt->failed, true);
    bus_receipt_free(receipt);
}

bool bus_receipt_is_complete(const struct bus_receipt *receipt, bool *ret_all)
{
    if (atomic_load(&receipt->holders) > 1) return false;
    *ret_all = !atomic_load(&receipt->failed);
    return true;
}
