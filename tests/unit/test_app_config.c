#include "app/conf.h"
#include "app/conf_int.h"
#include "fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAIN  "\"main\":{\"addr\":\"127.0.0.1:1\"}"
#define STORE "\"metric-store\":{\"retention-in-memory\":\"48h\",\"memory-cap\":100}"
#define TABLE "\"metrics\":{\"a\":{\"frequency\":60,\"aggregation\":null}}"

struct log_lines {
    struct ta_log log;
    char text[4096];
};

static void keep_line(struct ta_log *self, enum ta_log_level level, const char *text)
{
    struct log_lines *l = TA_CONTAINER(self, struct log_lines, log);
    size_t n = strlen(l->text);

    (void)level;
    snprintf(l->text + n, sizeof(l->text) - n, "%s\n", text);
}

static struct log_lines lines;
static struct ta_err err;

static int parse(struct ta_config *c, const char *text)
{
    lines = (struct log_lines){.log = {keep_line}};
    err = (struct ta_err){0};
    return ta_config_parse(c, "c.json", ta_str(text), NULL, &ta_heap, &lines.log, &err);
}

/* The text is refused and the error names all of `want`, separated by |. */
static void assert_refused(const char *text, const char *want)
{
    struct ta_config c;
    char word[100];

    assert_true(parse(&c, text) < 0);
    for (const char *p = want; *p;) {
        size_t n = strcspn(p, "|");

        snprintf(word, sizeof(word), "%.*s", (int)n, p);
        if (!strstr(err.text, word))
            fail_msg("\"%s\" does not name \"%s\"", err.text, word);
        p += n + (p[n] == '|');
    }
    ta_config_done(&c);
}

static void the_complete_example_of_the_reference_is_read(void **state)
{
    static const char example[] =
        "{\"main\":{\"addr\":\"0.0.0.0:8082\",\"https-cert-file\":\"\",\"https-key-file\":\"\","
        "\"jwt-public-key\":\"kzfYrYy+TzpanWZHJ5qSdMj5uKUWgq74BWhQG6copP0=\",\"user\":\"\","
        "\"group\":\"\",\"backend-url\":\"\",\"debug\":{\"dump-to-file\":\"\",\"gops\":false}},"
        "\"nats\":{\"address\":\"nats://127.0.0.1:4222\",\"username\":\"root\","
        "\"password\":\"root\"},\"metric-store\":{\"retention-in-memory\":\"48h\","
        "\"memory-cap\":100,\"checkpoint-interval\":\"12h\",\"num-workers\":0,"
        "\"checkpoints\":{\"file-format\":\"wal\",\"directory\":\"./var/checkpoints\","
        "\"max-wal-size\":0},\"cleanup\":{\"mode\":\"archive\",\"directory\":\"./var/archive\"},"
        "\"nats-subscriptions\":[{\"subscribe-to\":\"hpc-nats\",\"cluster-tag\":\"fritz\"}]},"
        "\"metrics\":{\"cpu_load\":{\"frequency\":60,\"aggregation\":null},"
        "\"flops_any\":{\"frequency\":60,\"aggregation\":\"sum\"},"
        "\"clock\":{\"frequency\":60,\"aggregation\":\"avg\"}}}";
    struct ta_config c;

    (void)state;
    assert_int_equal(parse(&c, example), TA_OK);
    assert_string_equal(lines.text, "");
    assert_string_equal(c.main.addr, "0.0.0.0:8082");
    assert_int_equal(c.store.retention_ns, 48 * INT64_C(3600000000000));
    assert_int_equal(c.store.memory_cap_gb, 100);
    assert_string_equal(c.store.cleanup_mode, "archive");
    assert_int_equal(c.store.n_subscriptions, 1);
    assert_string_equal(c.store.subscriptions[0].subject, "hpc-nats");
    assert_string_equal(c.store.subscriptions[0].cluster, "fritz");
    assert_string_equal(c.nats.password, "root");
    assert_int_equal(c.n_metrics, 3);
    assert_string_equal(c.metrics[0].name, "clock");
    assert_string_equal(c.metrics[0].aggregation, "avg");
    assert_string_equal(c.metrics[1].aggregation, "");
    assert_string_equal(c.tarn.durability, "sync");
    assert_int_equal(c.tarn.limits.body_bytes, 64 * MiB);
    ta_config_done(&c);
}

static void an_empty_address_is_the_manuals_address(void **state)
{
    struct ta_config c;

    (void)state;
    assert_int_equal(parse(&c, "{\"main\":{\"addr\":\"\"}," STORE "," TABLE "}"), TA_OK);
    assert_string_equal(c.main.addr, "0.0.0.0:8082");
    ta_config_done(&c);
}

static void missing_sections_and_keys_are_named(void **state)
{
    (void)state;
    assert_refused("{}", "main configuration must be present");
    assert_refused("{" MAIN "," STORE "}", "metrics");
    assert_refused("{" MAIN "," TABLE "}", "metric-store");
    assert_refused("{" MAIN "," TABLE ",\"metric-store\":{\"retention-in-memory\":\"1h\"}}",
                   "metric-store|'memory-cap'");
    assert_refused("{" MAIN "," TABLE ",\"metric-store\":{\"memory-cap\":1}}",
                   "'retention-in-memory'");
}

static void errors_name_file_line_column_and_key(void **state)
{
    (void)state;
    assert_refused("{\n \"main\": {\n  \"addr\": 5\n }\n}", "c.json:3:11: main.addr|a string");
    assert_refused("{" MAIN ",\n\"metric-store\":{\"memory-cap\":\"x\"}}",
                   "c.json:2:30: metric-store.memory-cap|an integer");
    assert_refused("{" MAIN ",}", "c.json|could not decode|1:");
    assert_refused("", "c.json: could not decode: EOF");
    assert_refused("[]", "an object");
    assert_refused("{" MAIN "," STORE "," TABLE "} x", "could not decode");
}

static void unknown_keys_are_refused_or_said_as_the_section_wants(void **state)
{
    struct ta_config c;

    (void)state;
    assert_refused("{\"main\":{\"adr\":\"x\"}}", "main.adr|unknown key|did you mean \"addr\"");
    assert_refused("{" MAIN ",\"metric-store\":{\"cleanup\":{\"mod\":\"x\"}}}",
                   "metric-store.cleanup.mod|\"mode\"");
    assert_refused("{\"tarn\":{\"limits\":{\"bdy\":1}}}", "tarn.limits.bdy|\"body\"");
    assert_int_equal(parse(&c, "{" MAIN "," STORE "," TABLE
                               ",\"nats\":{\"adress\":{\"x\":[1,2]},\"username\":\"u\"},"
                               "\"backend\":{\"deep\":[{}]}}"),
                     TA_OK);
    assert_non_null(strstr(lines.text, "nats.adress"));
    assert_string_equal(c.nats.username, "u");
    ta_config_done(&c);
}

static void values_that_crash_the_reference_are_errors(void **state)
{
    (void)state;
    assert_refused("{\"metrics\":{\"a\":{\"frequency\":0,\"aggregation\":null}}}",
                   "metrics.a.frequency");
    assert_refused("{\"metrics\":{\"a\":{\"frequency\":-60,\"aggregation\":null}}}",
                   "metrics.a.frequency");
    assert_refused("{\"metrics\":{\"a\":{\"frequency\":60}}}", "metrics.a|'aggregation'");
    assert_refused("{\"metrics\":{\"a\":{\"aggregation\":null}}}", "metrics.a|'frequency'");
    assert_refused("{\"metrics\":{\"a\":{\"frequency\":1.5,\"aggregation\":null}}}", "frequency");
    assert_refused("{\"metrics\":{\"\":{\"frequency\":1,\"aggregation\":null}}}", "name");
    assert_refused("{\"metric-store\":{\"checkpoint-interval\":\"0\"}}", "checkpoint-interval");
    assert_refused("{\"metric-store\":{\"checkpoint-interval\":\"-1h\"}}", "checkpoint-interval");
    assert_refused("{\"metric-store\":{\"retention-in-memory\":\"2 days\"}}",
                   "retention-in-memory");
    assert_refused("{\"metric-store\":{\"checkpoints\":{\"file-format\":\"xml\"}}}",
                   "file-format|wal|json");
    assert_refused("{\"metric-store\":{\"checkpoints\":null}}",
                   "checkpoints|an object, found null");
    assert_refused("{\"metric-store\":{\"nats-subscriptions\":[{\"cluster-tag\":\"x\"}]}}",
                   "nats-subscriptions|'subscribe-to'");
    assert_refused("{\"main\":{\"addr\":\"8082\"}," STORE "," TABLE "}", "main.addr");
    assert_refused("{\"main\":{\"addr\":\"h:99999\"}," STORE "," TABLE "}", "main.addr");
    assert_refused("{\"main\":{\"jwt-public-key\":\"AAAA\"}," STORE "," TABLE "}",
                   "main.jwt-public-key");
    assert_refused("{" MAIN "," TABLE ",\"metric-store\":{\"retention-in-memory\":\"1h\","
                   "\"memory-cap\":1,\"cleanup\":{\"mode\":\"archive\"}}}",
                   "cleanup.directory");
    assert_refused("{" MAIN "," STORE "," TABLE ",\"tarn\":{\"require-auth\":true}}",
                   "jwt-public-key|require-auth");
    assert_refused("{" MAIN "," STORE "," TABLE ",\"tarn\":{\"roles\":{\"read\":[\"boss\"]}}}",
                   "tarn.roles.read|boss");
}

static void what_the_reference_forgives_is_forgiven_with_a_word(void **state)
{
    struct ta_config c;

    (void)state;
    assert_int_equal(parse(&c, "{" MAIN ",\"metrics\":{\"a\":{\"frequency\":60,"
                               "\"aggregation\":\"max\"}},\"metric-store\":{"
                               "\"retention-in-memory\":\"48h\",\"memory-cap\":0,"
                               "\"checkpoint-interval\":\"often\",\"cleanup\":{}}}"),
                     TA_OK);
    assert_non_null(strstr(lines.text, "checkpoint-interval"));
    assert_non_null(strstr(lines.text, "aggregation"));
    assert_int_equal(c.store.checkpoint_interval_ns, 12 * INT64_C(3600000000000));
    assert_string_equal(c.metrics[0].aggregation, "");
    assert_string_equal(c.store.cleanup_mode, "delete");
    ta_config_done(&c);
}

static void of_sections_and_keys_given_twice_the_last_one_counts(void **state)
{
    struct ta_config c;

    (void)state;
    assert_int_equal(
        parse(&c, "{\"main\":{\"addr\":\"a:1\",\"user\":\"u\"},\"main\":{\"addr\":\"b:1\","
                  "\"addr\":\"c:2\"}," STORE "," TABLE ",\"metrics\":{\"b\":{\"frequency\":1,"
                  "\"aggregation\":\"sum\"},\"b\":{\"frequency\":2,\"aggregation\":\"sum\"}}}"),
        TA_OK);
    assert_string_equal(c.main.addr, "c:2");
    assert_string_equal(c.main.user, "");
    assert_int_equal(c.n_metrics, 1);
    assert_int_equal(c.metrics[0].frequency_s, 2);
    ta_config_done(&c);
}

static void many_metrics_are_sorted_and_found_once(void **state)
{
    char *text = malloc(1 << 20);
    struct ta_config c;
    size_t n = 0;

    (void)state;
    n += (size_t)sprintf(text + n, "{" MAIN "," STORE ",\"metrics\":{");
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(text + n, "%s\"m%d\":{\"frequency\":%d,\"aggregation\":\"\"}",
                             i ? "," : "", i * 7919 % 1000, i + 1);
    sprintf(text + n, "}}");
    assert_int_equal(parse(&c, text), TA_OK);
    assert_int_equal(c.n_metrics, 1000);
    for (size_t i = 1; i < c.n_metrics; i++)
        assert_true(strcmp(c.metrics[i - 1].name, c.metrics[i].name) < 0);
    ta_config_done(&c);
    free(text);
}

static void secrets_are_not_in_messages(void **state)
{
    (void)state;
    assert_refused("{\"nats\":{\"username\":\"u\",\"password\":[\"geheim\"]}}", "nats.password");
    assert_null(strstr(err.text, "geheim"));
    assert_refused("{\"main\":{\"jwt-public-key\":\"geheim\"}," STORE "," TABLE "}", "public-key");
    assert_null(strstr(err.text, "geheim"));
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void sections_may_stand_in_files_of_their_own(void **state)
{
    char dir[] = "/tmp/tarn-config-XXXXXX", path[100], text[1000];
    struct ta_config c;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/metrics.json", dir);
    write_file(path, "{\"x\":{\"frequency\":5,\"aggregation\":\"sum\"}}");
    snprintf(text, sizeof(text),
             "{" MAIN "," STORE ",\"metrics-file\":\"%s\",\"metric-store-file\":\"ignored\","
             "\"nats-file\":\"%s/absent.json\"}",
             path, dir);
    snprintf(path, sizeof(path), "%s/config.json", dir);
    write_file(path, text);
    lines = (struct log_lines){.log = {keep_line}};
    err = (struct ta_err){0};
    assert_int_equal(ta_config_load(&c, &ta_vfs_posix, path, &ta_heap, &lines.log, &err), TA_OK);
    assert_int_equal(c.n_metrics, 1);
    assert_string_equal(c.metrics[0].name, "x");
    assert_false(c.has_nats);
    assert_non_null(strstr(lines.text, "nats-file"));
    ta_config_done(&c);

    snprintf(path, sizeof(path), "%s/metrics.json", dir);
    write_file(path, "{\"x\":{\"frequency\":\"5\"}}");
    snprintf(path, sizeof(path), "%s/config.json", dir);
    err = (struct ta_err){0};
    assert_true(ta_config_load(&c, &ta_vfs_posix, path, &ta_heap, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "metrics.json:1:19"));
    unlink(path);
    snprintf(path, sizeof(path), "%s/metrics.json", dir);
    unlink(path);
    rmdir(dir);
}

static void a_missing_file_is_its_own_error(void **state)
{
    struct ta_config c;

    (void)state;
    err = (struct ta_err){0};
    assert_int_equal(ta_config_load(&c, &ta_vfs_posix, "/nonexistent/c.json", &ta_heap, NULL, &err),
                     TA_ENOTFOUND);
}

static void the_builtin_configuration_serves_loopback(void **state)
{
    struct ta_config c;

    (void)state;
    err = (struct ta_err){0};
    assert_int_equal(ta_config_builtin(&c, &ta_heap, &err), TA_OK);
    assert_string_equal(c.main.addr, "127.0.0.1:8082");
    assert_true(c.n_metrics > 20);
    ta_config_done(&c);
}

static void every_refused_allocation_is_a_clean_failure(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_config c;
        int r = ta_config_builtin(&c, &f.alloc, NULL);

        if (r == TA_OK)
            ta_config_done(&c);
        fault_judge(&f, r);
    }
}

/* The manual has a row "| `name` | ... | default |" under the heading of each table. */
static void check_manual(const struct ta_conf_table *table, const char *section, const char *text)
{
    char heading[100], row[100];

    snprintf(heading, sizeof(heading), "### `%s`\n", section);
    const char *at = strstr(text, heading);
    if (!at)
        fail_msg("doc/config.md has no heading for %s", section);
    const char *end = strstr(at + 1, "\n### ");
    for (size_t i = 0; i < table->n; i++) {
        const struct ta_conf_key *key = &table->keys[i];

        if (key->kind == TA_CONF_TABLE) {
            char inner[100];

            snprintf(inner, sizeof(inner), "%s.%s", section, key->name);
            if (strcmp(key->name, "debug") != 0)
                check_manual(key->sub, inner, text);
            continue;
        }
        snprintf(row, sizeof(row), "| `%s` |", key->name);
        const char *found = strstr(at, row);
        if (!found || (end && found > end))
            fail_msg("doc/config.md does not name %s.%s", section, key->name);
        if (key->default_ && key->default_[0]) {
            snprintf(row, sizeof(row), "| `%s` |", key->default_);
            const char *said = strstr(found, row);
            if (!said || said > strchr(found, '\n'))
                fail_msg("doc/config.md gives another default of %s.%s", section, key->name);
        }
    }
}

static void the_manual_names_every_key_with_its_default(void **state)
{
    static char text[1 << 16];
    FILE *f = fopen("doc/config.md", "r");

    (void)state;
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    for (size_t i = 0; i < ta_conf_n_sections; i++)
        check_manual(ta_conf_sections[i].table, ta_conf_sections[i].table->name, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_complete_example_of_the_reference_is_read),
        cmocka_unit_test(an_empty_address_is_the_manuals_address),
        cmocka_unit_test(missing_sections_and_keys_are_named),
        cmocka_unit_test(errors_name_file_line_column_and_key),
        cmocka_unit_test(unknown_keys_are_refused_or_said_as_the_section_wants),
        cmocka_unit_test(values_that_crash_the_reference_are_errors),
        cmocka_unit_test(what_the_reference_forgives_is_forgiven_with_a_word),
        cmocka_unit_test(of_sections_and_keys_given_twice_the_last_one_counts),
        cmocka_unit_test(many_metrics_are_sorted_and_found_once),
        cmocka_unit_test(secrets_are_not_in_messages),
        cmocka_unit_test(sections_may_stand_in_files_of_their_own),
        cmocka_unit_test(a_missing_file_is_its_own_error),
        cmocka_unit_test(the_builtin_configuration_serves_loopback),
        cmocka_unit_test(every_refused_allocation_is_a_clean_failure),
        cmocka_unit_test(the_manual_names_every_key_with_its_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
