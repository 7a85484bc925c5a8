/* What open sagas have done that is neither confirmed nor undone, summed. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/states.h"
#include "cli/table.h"
#include "cli/times.h"

#include <inttypes.h>

static struct table table_with(struct cli *cli, const char *const *headings)
{
    struct table table = table_in(&cli->arena);
    for (; *headings != NULL; headings++) {
        table_column(&table, *headings);
    }
    return table;
}

static void print_table(struct cli *cli, const struct table *table)
{
    struct buffer out = buffer_in(&cli->arena);
    table_print(table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
}

static void add_number(struct cli *cli, struct table *table, const struct json_view *item,
                       const char *member)
{
    const bool is_zero = json_int(item, member, 0) == 0;
    table_add(table, STYLE_PLAIN,
              is_zero ? (struct bytes){0} : json_plain(json_value(item, member), &cli->arena));
}

/* What is not known to have happened is shown only where there is any. */
static void add_sums(struct cli *cli, struct table *table, const struct json_view *item)
{
    char ago[TIMES_TEXT_SIZE];
    const bool any_unknown = json_int(item, "unknown_count", 0) > 0;
    table_add(table, STYLE_BOLD, json_text(item, "amount"));
    table_add(table, STYLE_PLAIN, json_text(item, "currency"));
    table_add(table, STYLE_WARN,
              any_unknown ? json_text(item, "unknown_amount") : (struct bytes){0});
    add_number(cli, table, item, "count");
    add_number(cli, table, item, "unknown_count");
    add_number(cli, table, item, "unvalued_count");
    add_number(cli, table, item, "sagas");
    times_ago(times_now_ms(), json_time(item, "first_at"), ago);
    table_add_text(table, STYLE_PLAIN, ago);
}

static void print_totals(struct cli *cli, const struct json_view *exposure)
{
    static const char *const HEADINGS[] = {"AMOUNT",   "CURRENCY", "UNKNOWN", "EFFECTS", "UNSURE",
                                           "UNVALUED", "SAGAS",    "SINCE",   NULL};
    struct table table = table_with(cli, HEADINGS);
    for (const struct json_view *each = json_items(exposure, "totals"); each != NULL;
         each = each->next) {
        add_sums(cli, &table, each);
    }
    print_table(cli, &table);
    terminal_put(BYTES("\n"));
}

static void add_group(struct cli *cli, struct table *table, const struct json_view *item)
{
    struct buffer definition = buffer_in(&cli->arena);
    const struct bytes state = json_text(item, "state");
    buffer_add_bytes(&definition, json_text(item, "definition"));
    buffer_add_format(&definition, "/%" PRId64, json_int(item, "version", 0));
    table_add(table, STYLE_PLAIN, buffer_bytes(&definition));
    table_add(table, STYLE_PLAIN, json_text(item, "topic"));
    table_add(table, saga_state_style(state), state);
    table_add(table, STYLE_PLAIN, json_text(item, "kind"));
    add_sums(cli, table, item);
}

static const char *exposure_path(struct cli *cli)
{
    static const struct {
        enum option option;
        const char *name;
    } FILTERS[] = {
        {OPTION_STATE,      "state"     },
        {OPTION_DEFINITION, "definition"},
        {OPTION_TOPIC,      "topic"     },
        {OPTION_KIND,       "kind"      },
        {OPTION_CURRENCY,   "currency"  },
    };
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/exposure");
    for (size_t i = 0; i < sizeof FILTERS / sizeof FILTERS[0]; i++) {
        const char *value = NULL;
        for (size_t n = 0; (value = arguments_nth(&cli->arguments, FILTERS[i].option, n)) != NULL;
             n++) {
            path_add_query(&path, FILTERS[i].name, value);
        }
    }
    return path.data;
}

static enum status show_table(struct cli *cli, struct pages *pages)
{
    static const char *const HEADINGS[] = {"DEFINITION", "TOPIC",   "STATE",   "KIND",   "AMOUNT",
                                           "CURRENCY",   "UNKNOWN", "EFFECTS", "UNSURE", "UNVALUED",
                                           "SAGAS",      "SINCE",   NULL};
    struct table table = table_with(cli, HEADINGS);
    for (bool first = true;; first = false) {
        struct answer answer;
        bool more = false;
        const enum status status = pages_next(pages, &answer, &more);
        if (status != STATUS_OK) return status;
        if (!more) break;
        const struct json_view *item = json_items(answer.json, "items");
        if (first && item == NULL) {
            tell("no open saga has done anything that is declared as an effect");
            return STATUS_OK;
        }
        if (first) print_totals(cli, answer.json);
        for (; item != NULL; item = item->next) {
            add_group(cli, &table, item);
        }
    }
    print_table(cli, &table);
    if (pages->more) tell("there are more; --all or --limit N shows them");
    return STATUS_OK;
}

enum status run_exposure(struct cli *cli)
{
    enum { SHOWN = 50 };
    struct pages pages;
    if (!pages_begin(cli, exposure_path(cli), SHOWN, &pages)) return STATUS_USAGE;
    return cli_is_table(cli) ? show_table(cli, &pages) : pages_print(&pages, NULL, NULL);
}
