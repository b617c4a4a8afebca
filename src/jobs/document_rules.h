/* document_rules.h - what the published schemas ask of an archive's three kinds of documents, as tables.
 *
 * (spec: job-archive 4.1, 5) A rule speaks of one value of a document; members and items have rules in
 * turn. The tables hold every rule of the schemas and no other; document_check.h holds a document against
 * them. Sound archives break some: the schemas are stricter than what is written.
 */
#ifndef TARN_JOBS_DOCUMENT_RULES_H
#define TARN_JOBS_DOCUMENT_RULES_H

#include <stdbool.h>
#include <stddef.h>

enum ta_rule_kind {
    TA_RULE_ANY,
    TA_RULE_OBJECT,
    TA_RULE_LIST,
    TA_RULE_STRING,
    TA_RULE_NUMBER,
    TA_RULE_INTEGER, /* 1.0 is one */
    TA_RULE_BOOL
};

enum ta_rule_bound { TA_RULE_UNBOUND, TA_RULE_NOT_BELOW_0, TA_RULE_ABOVE_0 };

enum { TA_RULE_MEMBERS_MAX = 64 };

struct ta_rule_member;

/* Only what is not zero holds. */
struct ta_rule {
    enum ta_rule_kind kind;
    enum ta_rule_bound bound;
    size_t n_members; /* at most TA_RULE_MEMBERS_MAX */
    const struct ta_rule_member *members;
    const struct ta_rule *others; /* members that have no rule of their own; NULL: anything */
    const struct ta_rule *items;  /* of a list; NULL: anything */
    const char *const *words;     /* ends with NULL; what a string may be */
    size_t items_min, members_min;
    bool has_number; /* one item at least is a number not below 0 */
    bool is_set;     /* no two items are equal */
};

struct ta_rule_member {
    const char *name;
    const struct ta_rule *rule; /* NULL: anything */
    bool is_required;
};

extern const struct ta_rule ta_rules_of_meta;
extern const struct ta_rule ta_rules_of_data;
extern const struct ta_rule ta_rules_of_cluster;

#endif
