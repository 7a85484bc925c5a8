#include "api/exchange_pool.h"

#include "api/stream.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEPT_BODY_SIZE = 16 * 1024, /* buffers up to this size stay with a free exchange */
    KEPT_MAX = 256,             /* exchanges */
};

struct exchange_pool {
    pthread_mutex_t lock; /* guards what follows */
    struct exchange *free;
    uint32_t free_count, out_count;
};

struct exchange_pool *exchange_pool_new(void)
{
    struct exchange_pool *const pool = calloc(1, sizeof(*pool));
    if (pool == NULL) abort();
    (void)pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void exchange_free(struct exchange *exchange)
{
    arena_done(&exchange->arena);
    arena_done(&exchange->late_arena);
    free(exchange->body_data);
    free(exchange);
}

void exchange_pool_free(struct exchange_pool *pool)
{
    if (pool == NULL) return;
    assert(pool->out_count == 0);
    while (pool->free != NULL) {
        struct exchange *const exchange = pool->free;
        pool->free = exchange->next_free;
        exchange_free(exchange);
    }
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct exchange *exchange_take(struct exchange_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    struct exchange *exchange = pool->free;
    pool->out_count++;
    if (exchange != NULL) {
        pool->free = exchange->next_free;
        pool->free_count--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (exchange == NULL) exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) abort();
    exchange->next_free = NULL;
    atomic_store(&exchange->references, 1);
    return exchange;
}

/* Ready for the next request, with the memory that it may keep. */
static void wipe(struct exchange *exchange)
{
    arena_reset(&exchange->arena);
    arena_done(&exchange->late_arena);
    if (exchange->body_capacity > KEPT_BODY_SIZE) {
        free(exchange->body_data);
        exchange->body_data = NULL;
        exchange->body_capacity = 0;
    }
    const struct arena arena = exchange->arena;
    char *const body_data = exchange->body_data;
    const size_t body_capacity = exchange->body_capacity;
    memset(exchange, 0, sizeof(*exchange));
    exchange->arena = arena;
    exchange->body_data = body_data;
    exchange->body_capacity = body_capacity;
}

void exchange_release(struct exchange_pool *pool, struct exchange *exchange)
{
    if (atomic_fetch_sub(&exchange->references, 1) != 1) return;
    stream_close(exchange);
    wipe(exchange);
    (void)pthread_mutex_lock(&pool->lock);
    pool->out_count--;
    const bool is_kept = pool->free_count < KEPT_MAX;
    if (is_kept) {
        exchange->next_free = pool->free;
        pool->free = exchange;
        pool->free_count++;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (!is_kept) exchange_free(exchange);
}

uint32_t exchange_pool_out(struct exchange_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    const uint32_t out_count = pool->out_count;
    (void)pthread_mutex_unlock(&pool->lock);
    return out_count;
}
