/* SPDX-License-Identifier: MIT */
/*
 * conf.c: see conf.h. Runs before the first block is served: nothing here allocates.
 */
#include "src/front/conf.h"

#include "src/base/sizeclass.h"
#include "src/base/tunables.h"
#include "src/contract/slots.h"
#include "src/front/text.h"
#include "src/os/env.h"
#include "src/os/os.h"

#include <string.h>

#define ON_OFF .unit = "on or off"
#define BLOCKS                                                                                     \
    .unit = "blocks", .kind = HAK_SWITCH_NUMBER, .min = 1, .max = HAK_REFILL_BLOCKS_MAX,           \
    .help = "what a refill takes"

static const struct hak_switch core[] = {
    {.name = "HAKMEM_CONFIRM_CONF", ON_OFF, .help = "says at start what each switch is set to"},
    {.name = "HAKMEM_ABORT_CONF", ON_OFF, .help = "a wrong switch ends the process"},
    {.name = "HAKMEM_VERBOSE", ON_OFF, .help = "says at start what build this is"},
    {.name = "HAKMEM_AUDIT", ON_OFF, .help = "audits at exit"},
    {.name = "HAKMEM_STATS", ON_OFF, .help = "prints counters at exit"},
    {.name = "HAKMEM_MISUSE",
     .unit = "word",
     .help = "what follows on misuse",
     .kind = HAK_SWITCH_WORD,
     .words = "abort ignore"},
    {.name = "HAKMEM_DEEPBIND", ON_OFF, .help = "dlopen keeps RTLD_DEEPBIND"},
    {.name = "HAKMEM_PURGE_MS",
     .unit = "ms",
     .help = "age limit of free memory",
     .kind = HAK_SWITCH_NUMBER,
     .max = HAK_AGE_MS_MAX},
    {.name = "HAKMEM_PURGE_KEEP_BYTES",
     .unit = "bytes",
     .help = "free memory that is kept whatever its age",
     .kind = HAK_SWITCH_NUMBER,
     .max = SIZE_MAX},
    {.name = "HAKMEM_PURGE",
     .unit = "word",
     .help = "purges lazily",
     .kind = HAK_SWITCH_WORD,
     .words = "free"},
    {.name = "HAKMEM_PURGE_THREAD", ON_OFF, .help = "purges in programs that make no calls, too"},
    {.name = "HAKMEM_THP",
     .unit = "word",
     .help = "huge pages for blocks",
     .kind = HAK_SWITCH_WORD,
     .words = "never madvise"},
    {.name = "HAKMEM_TINY_REFILL_COUNT", BLOCKS},
    {.name = "HAKMEM_TINY_REFILL_COUNT_HOT", BLOCKS},
    {.name = "HAKMEM_TINY_REFILL_COUNT_MID", BLOCKS},
    {.name = "HAKMEM_TINY_REFILL_COUNT_C<bytes>", BLOCKS},
};

void hak_conf_visit(void (*visit)(void *arg, const struct hak_switch *named), void *arg) {
    for (size_t i = 0; i < sizeof core / sizeof *core; i++)
        visit(arg, &core[i]);
    hak_bind_switches(visit, arg);
}

/* What the environment asks for: by a variable of its own, or by a pair. */
struct request {
    struct hak_env_text name, value;
    bool is_pair;
    const struct hak_switch *found;
};

/* Letters of a switch's name that a pair does not have. */
static size_t skipped(const struct request *request) {
    return request->is_pair ? sizeof HAK_ENV_PREFIX - 1 : 0;
}

static bool begins_as(const struct request *request, const char *name, size_t length) {
    if (request->is_pair) return hak_env_begins_key(request->name, name, length);
    return request->name.length >= length && memcmp(request->name.bytes, name, length) == 0;
}

/* The rest of the name is the block size of a tiny class. */
static bool is_class(const struct request *request, size_t length) {
    size_t begin = length - skipped(request);
    struct hak_env_text digits = {request->name.bytes + begin, request->name.length - begin};
    uint64_t bytes;
    if (!hak_env_parse(digits, &bytes) || bytes < 1 || bytes > HAK_TINY_MAX) return false;
    return hak_sizeclass_stride(hak_sizeclass_of(bytes)) == bytes;
}

static void match(void *arg, const struct hak_switch *named) {
    struct request *request = arg;
    size_t length = strcspn(named->name, "<");
    if (!begins_as(request, named->name, length)) return;
    bool is_whole = request->name.length == length - skipped(request);
    if (named->name[length] == '<' ? is_class(request, length) : is_whole) request->found = named;
}

static bool is_among(struct hak_env_text word, const char *words) {
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        if (word.length == length && memcmp(word.bytes, words, length) == 0) return true;
        words += length + (words[length] == ' ');
    }
    return false;
}

static bool is_valid(const struct request *request) {
    const struct hak_switch *found = request->found;
    uint64_t number;
    if (request->value.bytes == NULL) return false;
    if (found->kind == HAK_SWITCH_WORD) return is_among(request->value, found->words);
    if (found->kind == HAK_SWITCH_ON_OFF) return true;
    return hak_env_parse(request->value, &number) && number >= found->min && number <= found->max;
}

static void add_valid(struct hak_text *text, const struct hak_switch *found) {
    if (found->kind == HAK_SWITCH_WORD) {
        hak_text_add(text, "one of: ");
        hak_text_add(text, found->words);
    } else if (found->kind == HAK_SWITCH_NUMBER) {
        hak_text_add(text, "a number from ");
        hak_text_add_decimal(text, found->min);
        hak_text_add(text, " to ");
        hak_text_add_decimal(text, found->max);
        hak_text_add(text, " (");
        hak_text_add(text, found->unit);
        hak_text_add(text, "; k, m, g are taken)");
    } else {
        hak_text_add(text, "0 or 1");
    }
}

static void complain(const struct request *request) {
    struct hak_text text = {.length = 0};
    hak_text_add(&text, request->is_pair ? "hakmem: HAKMEM_CONF: " : "hakmem: ");
    hak_text_add_bytes(&text, request->name.bytes, request->name.length);
    if (request->found == NULL) {
        hak_text_add(&text, " is no switch of this build; see hakmem(7)");
    } else {
        hak_text_add(&text, request->is_pair ? ":" : "=");
        if (request->value.bytes != NULL)
            hak_text_add_bytes(&text, request->value.bytes, request->value.length);
        hak_text_add(&text, " is ignored; valid is ");
        add_valid(&text, request->found);
    }
    hak_text_print_line(&text);
}

/* False when something is wrong with it. */
static bool check(struct request request) {
    hak_conf_visit(match, &request);
    bool is_right = request.found != NULL && is_valid(&request);
    if (!is_right) complain(&request);
    return is_right;
}

static bool check_pairs(const char *conf) {
    bool all_right = true;
    struct hak_env_pair pair;
    while (hak_env_next_pair(&conf, &pair)) {
        struct request request = {.name = pair.key, .value = pair.value, .is_pair = true};
        if (pair.key.length > 0 || pair.value.bytes != NULL) all_right &= check(request);
    }
    return all_right;
}

static bool check_entry(const char *entry) {
    size_t length = strcspn(entry, "=");
    struct request request = {.name = {entry, length}};
    if (strncmp(entry, HAK_ENV_PREFIX, sizeof HAK_ENV_PREFIX - 1) != 0) return true;
    if (entry[length] == '\0' || entry[length + 1] == '\0') return true; /* as if unset */
    request.value = (struct hak_env_text){entry + length + 1, strlen(entry + length + 1)};
    bool is_conf = length == sizeof HAK_ENV_CONF - 1 && memcmp(entry, HAK_ENV_CONF, length) == 0;
    return is_conf ? check_pairs(request.value.bytes) : check(request);
}

/* Of the counts of classes, those that are set are told where they stand. */
static void confirm(void *arg, const struct hak_switch *named) {
    struct hak_text text = {.length = 0};
    struct hak_env_text value = hak_env_value(named->name);
    (void)arg;
    if (strchr(named->name, '<') != NULL) return;
    hak_text_add(&text, "hakmem: ");
    hak_text_add(&text, named->name);
    hak_text_add(&text, value.bytes == NULL ? " is not set" : "=");
    if (value.bytes != NULL) hak_text_add_bytes(&text, value.bytes, value.length);
    hak_text_print_line(&text);
}

void hak_conf_check(void) {
    const char *entry;
    bool all_right = true;
    if (!hak_env_look()) return;
    for (size_t i = 0; (entry = hak_os_env_entry(i)) != NULL; i++)
        all_right &= check_entry(entry);
    if (hak_env_is_on("HAKMEM_CONFIRM_CONF")) hak_conf_visit(confirm, NULL);
    if (!all_right && hak_env_is_on("HAKMEM_ABORT_CONF")) hak_os_abort();
}
