#include "cli/client.h"

#include "cli/json.h"
#include "cli/problem.h"
#include "cli/times.h"
#include "sagas/base/uuid.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum {
    CONNECT_TIMEOUT_MS = 5000,
    ANSWER_TIMEOUT_MS = 30000,
    READ_PATIENCE_MS = 2000,
    WRITE_PATIENCE_MS = 10000,
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 2000,
    ANSWER_SIZE_MAX = 256 * 1024 * 1024,
};

struct client {
    CURL *curl;
    struct client_options options;
    char *url;
    char curl_error[CURL_ERROR_SIZE];
};

/* One exchange while it lasts. */
struct exchange {
    struct buffer body;
    struct answer *answer;
    int64_t retry_after_ms;
    const struct request *request;
    int64_t ticked_at_ms;
};

/* ---- curl's callbacks ---- */

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    if (exchange->body.size + size * count > ANSWER_SIZE_MAX) return 0;
    buffer_add(&exchange->body, data, size * count);
    return size * count;
}

/* The value of header `name` in a line; NULL when it is another. */
static const char *header_value(const char *line, const char *name)
{
    const size_t size = strlen(name);
    if (strncasecmp(line, name, size) != 0 || line[size] != ':') return NULL;
    const char *value = line + size + 1;
    while (*value == ' ') {
        value++;
    }
    return value;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    char line[256];
    (void)snprintf(line, sizeof line, "%.*s", (int)(size * count), data);
    line[strcspn(line, "\r\n")] = '\0';
    const char *etag = header_value(line, "etag");
    if (etag != NULL) {
        (void)snprintf(exchange->answer->etag, sizeof exchange->answer->etag, "%.79s", etag);
    }
    const char *retry_after = header_value(line, "retry-after");
    if (retry_after != NULL) exchange->retry_after_ms = strtol(retry_after, NULL, 10) * 1000;
    return size * count;
}

static int take_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                         curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total, (void)up;
    struct exchange *exchange = context;
    const int64_t now_ms = times_monotonic_ms();
    if (exchange->request->tick != NULL && now_ms - exchange->ticked_at_ms >= 1000) {
        exchange->ticked_at_ms = now_ms;
        exchange->request->tick(exchange->request->tick_context);
    }
    return 0;
}

/* ---- opening ---- */

static bool host_is_loopback(const char *host)
{
    return host != NULL && (strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                            strcmp(host, "[::1]") == 0);
}

static bool url_is_sound(const char *url, bool *ret_loopback)
{
    CURLU *parsed = curl_url();
    char *host = NULL;
    char *query = NULL;
    assert(parsed != NULL);
    const bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    const bool sound = http && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                       curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                       curl_url_get(parsed, CURLUPART_QUERY, &query, 0) != CURLUE_OK;
    *ret_loopback = host_is_loopback(host);
    curl_free(host);
    curl_free(query);
    curl_url_cleanup(parsed);
    return sound;
}

enum status client_open(const struct client_options *options, struct client **ret_client)
{
    bool loopback = false;
    if (!url_is_sound(options->url, &loopback)) {
        return tell_error(STATUS_USAGE, "'%s' is no URL of sagad; write http://127.0.0.1:8080",
                          options->url);
    }
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) abort();
    client->options = *options;
    client->url = strdup(options->url);
    client->curl = curl_easy_init();
    if (client->url == NULL || client->curl == NULL) abort();
    size_t size = strlen(client->url);
    while (size > 0 && client->url[size - 1] == '/') {
        client->url[--size] = '\0';
    }

    curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->curl_error);
    curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, take_progress);
    curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(client->curl, CURLOPT_USERAGENT, "sagactl");
    if (loopback) curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*");
    *ret_client = client;
    return STATUS_OK;
}

void client_close(struct client *client)
{
    if (client == NULL) return;
    curl_easy_cleanup(client->curl);
    free(client->url);
    free(client);
}

const char *client_url(const struct client *client)
{
    return client->url;
}

int64_t client_left_ms(const struct client *client)
{
    if (client->options.give_up_at_ms == 0) return INT64_MAX;
    const int64_t left_ms = client->options.give_up_at_ms - times_monotonic_ms();
    return left_ms > 0 ? left_ms : 0;
}

/* ---- one exchange ---- */

static void fresh_key(char ret_key[UUID_TEXT_SIZE])
{
    uint8_t random[10];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) abort();
    const struct uuid id = uuid_v7(times_now_ms(), random);
    uuid_print(&id, ret_key);
}

/* POST, PUT and DELETE: with a body and a key. */
static bool is_write(const struct request *request)
{
    return request->method != NULL && strcmp(request->method, "GET") != 0;
}

static void add_header(struct curl_slist **headers, struct arena *arena, const char *name,
                       const char *value)
{
    struct buffer line = buffer_in(arena);
    buffer_add_format(&line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*headers, line.data);
    if (longer == NULL) abort();
    *headers = longer;
}

static struct curl_slist *make_headers(const struct client *client, const struct request *request,
                                       const char *key, struct arena *arena)
{
    struct curl_slist *headers = NULL;
    add_header(&headers, arena, "Accept", "application/json, application/problem+json");
    /* curl would wait for a 100 before it sends a large body. */
    add_header(&headers, arena, "Expect", "");
    if (request->body.data != NULL) add_header(&headers, arena, "Content-Type", "application/json");
    if (is_write(request)) add_header(&headers, arena, "Idempotency-Key", key);
    if (request->if_none_match != NULL && *request->if_none_match != '\0') {
        add_header(&headers, arena, "If-None-Match", request->if_none_match);
    }
    if (client->options.key != NULL) {
        struct buffer bearer = buffer_in(arena);
        buffer_add_format(&bearer, "Bearer %s", client->options.key);
        add_header(&headers, arena, "Authorization", bearer.data);
    }
    return headers;
}

static void set_up(struct client *client, const struct request *request, struct exchange *exchange,
                   struct arena *arena)
{
    struct buffer url = buffer_in(arena);
    buffer_add_format(&url, "%s%s", client->url, request->path);
    CURL *curl = client->curl;
    curl_easy_setopt(curl, CURLOPT_URL, url.data);
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    if (is_write(request)) {
        const struct bytes body = request->body.data != NULL ? request->body : BYTES("");
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    int64_t limit_ms = ANSWER_TIMEOUT_MS + (int64_t)request->wait_s * 1000;
    const int64_t left_ms = client_left_ms(client);
    if (limit_ms > left_ms) limit_ms = left_ms > 0 ? left_ms : 1;
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)limit_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
}

static void exchange_once(struct client *client, const struct request *request, const char *key,
                          struct exchange *exchange, struct arena *arena)
{
    struct answer *answer = exchange->answer;
    *answer = (struct answer){.http_status = 0};
    exchange->body = buffer_in(arena);
    exchange->retry_after_ms = 0;
    exchange->ticked_at_ms = times_monotonic_ms();
    set_up(client, request, exchange, arena);
    struct curl_slist *headers = make_headers(client, request, key, arena);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    client->curl_error[0] = '\0';
    const int64_t started_ms = times_monotonic_ms();
    const CURLcode code = curl_easy_perform(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (code == CURLE_OK) {
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &answer->http_status);
    } else {
        (void)snprintf(answer->trouble, sizeof answer->trouble, "%s",
                       client->curl_error[0] != '\0' ? client->curl_error
                                                     : curl_easy_strerror(code));
    }
    if (client->options.verbose) {
        tell("%s %s -> %ld %s(%" PRId64 " ms)", request->method != NULL ? request->method : "GET",
             request->path, answer->http_status, answer->trouble,
             times_monotonic_ms() - started_ms);
    }
    answer->body = exchange->body.data != NULL ? buffer_bytes(&exchange->body) : BYTES("");
}

/* ---- repeating ---- */

/* Nothing came, the gateway is in trouble, or the problem page says that it passes by itself. */
static bool is_worth_repeating(const struct answer *answer)
{
    switch (answer->http_status) {
    case 0:
    case 429:
    case 502:
    case 503:
    case 504: return true;
    default: return answer->http_status >= 400 && json_true(answer->json, "retryable");
    }
}

static enum status status_of(const struct client *client, const struct answer *answer)
{
    const long status = answer->http_status;
    if (status == 304 || (status >= 200 && status < 300)) return STATUS_OK;
    if (status == 404) return STATUS_NOT_FOUND;
    if (status == 409 || status == 412) return STATUS_CONFLICT;
    if (is_worth_repeating(answer) && client_left_ms(client) == 0) return STATUS_TIMEOUT;
    return STATUS_ERROR;
}

static int64_t patience_of(const struct client *client, const struct request *request)
{
    if (client->options.give_up_at_ms != 0) return client_left_ms(client);
    if (request->patience_ms != 0) return request->patience_ms;
    return is_write(request) ? WRITE_PATIENCE_MS : READ_PATIENCE_MS;
}

/* Why the last try has to be repeated, said once for each request. */
static void tell_repeating(const struct client *client, const struct answer *answer,
                           int64_t patience_ms)
{
    char span[TIMES_TEXT_SIZE];
    times_span(patience_ms, span);
    if (answer->http_status == 0) {
        tell("sagactl: %s: %s; trying for %s", client->url, answer->trouble, span);
    } else {
        tell("sagactl: %s answers %ld; trying for %s", client->url, answer->http_status, span);
    }
}

/* The time over which one request is repeated. */
struct patience {
    int64_t until_ms; /* monotonic */
    int64_t pause_ms; /* before the next try */
    bool told;
};

/* Pause before the next try; false when there is no time for one. */
static bool pause_before_next(struct patience *patience, const struct client *client,
                              const struct exchange *exchange)
{
    const int64_t left_ms = patience->until_ms - times_monotonic_ms();
    const int64_t asked_ms = exchange->retry_after_ms;
    if (left_ms <= 0 || asked_ms > left_ms) return false;
    int64_t sleep_ms = asked_ms > patience->pause_ms ? asked_ms : patience->pause_ms;
    if (sleep_ms > left_ms) sleep_ms = left_ms;
    if (!patience->told) tell_repeating(client, exchange->answer, left_ms);
    patience->told = true;
    times_sleep_ms(sleep_ms);
    patience->pause_ms = patience->pause_ms * 2;
    if (patience->pause_ms > PAUSE_MAX_MS) patience->pause_ms = PAUSE_MAX_MS;
    return true;
}

static void read_json(struct answer *answer, struct arena *arena)
{
    struct json_error error;
    answer->json = NULL;
    if (answer->body.size == 0) return;
    if (!json_view_parse(answer->body, arena, &answer->json, &error)) answer->json = NULL;
}

enum status client_try(struct client *client, const struct request *request, struct arena *arena,
                       struct answer *ret_answer)
{
    char fresh[UUID_TEXT_SIZE] = "";
    const char *key = request->idempotency_key;
    if (key == NULL) {
        fresh_key(fresh);
        key = fresh;
    }
    struct patience patience = {.until_ms = times_monotonic_ms() + patience_of(client, request),
                                .pause_ms = PAUSE_FIRST_MS};
    struct exchange exchange = {.answer = ret_answer, .request = request};
    do {
        exchange_once(client, request, key, &exchange, arena);
        read_json(ret_answer, arena);
    } while (is_worth_repeating(ret_answer) && pause_before_next(&patience, client, &exchange));
    return status_of(client, ret_answer);
}

enum status client_call(struct client *client, const struct request *request, struct arena *arena,
                        struct answer *ret_answer)
{
    const enum status status = client_try(client, request, arena, ret_answer);
    if (status != STATUS_OK) {
        problem_tell(client, ret_answer, arena);
        return status;
    }
    if (ret_answer->http_status != 304 && ret_answer->json == NULL) {
        return tell_error(STATUS_ERROR, "%s did not answer in JSON; is it sagad?", client->url);
    }
    return STATUS_OK;
}

/* ---- paths ---- */

void path_add(struct buffer *path, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL) {
            buffer_add_char(path, *c);
        } else {
            buffer_add_format(path, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
}

void path_add_query(struct buffer *path, const char *name, const char *value)
{
    const bool first = memchr(path->data, '?', path->size) == NULL;
    buffer_add_char(path, first ? '?' : '&');
    buffer_add_text(path, name);
    buffer_add_char(path, '=');
    path_add(path, value);
}
