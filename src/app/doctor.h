/* doctor.h - what is wrong with this machine, this configuration or this store, and what to do.
 *
 * Two halves: ta_doctor_probe looks (system calls, a file written and synced, a request), ta_doctor_judge
 * thinks. The second is pure, so that each rule is a test.
 */
#ifndef TARN_APP_DOCTOR_H
#define TARN_APP_DOCTOR_H

#include "app/conf.h"
#include "app/scrape.h"

#include <stdbool.h>
#include <stdint.h>

enum ta_finding_level { TA_FINDING_GOOD, TA_FINDING_NOTE, TA_FINDING_WARN, TA_FINDING_BAD };

struct ta_finding {
    enum ta_finding_level level;
    const char *topic; /* static: "disk", "clock" ... */
    char what[320];    /* a sentence */
    char todo[320];    /* what to do; "" when nothing */
};

enum { TA_FINDINGS_MAX = 48 };

struct ta_findings {
    struct ta_finding at[TA_FINDINGS_MAX];
    size_t n; /* the first TA_FINDINGS_MAX are kept; there are fewer rules */
};

/* What was seen. Times in seconds; a negative one was not measured. */
struct ta_machine {
    uint64_t files_max;    /* descriptors the kernel allows this process */
    uint64_t memory_bytes; /* of the machine */
    uint64_t memory_limit; /* of the control group; 0: none */
    uint64_t hosts;        /* with checkpoints, or as told */
    bool has_directory;    /* the checkpoint directory, or its nearest parent, exists */
    char directory[512];   /* the one that was looked at */
    bool is_writable, is_others_writable;
    char trouble[200];          /* why it is not writable */
    bool is_network, is_memory; /* kind of its file system */
    uint64_t free_bytes, total_bytes, free_inodes;
    double sync_s_median, sync_s_worst;
    bool is_clock_synchronised;
    int64_t now_s;
    bool config_is_readable_by_all, key_is_readable_by_all;
    char tls_trouble[200];     /* certificate or key that cannot be used; "" */
    int64_t certificate_end_s; /* 0: no TLS */
    char user_trouble[200];    /* main.user or main.group that does not exist; "" */
};

/* A store that was asked. */
struct ta_asked {
    const char *url; /* NULL: it was not asked */
    int status;      /* of GET /metrics; 0: no answer */
    char trouble[200];
    bool has_token;
    int64_t clock_ahead_s;    /* of the store's clock to ours */
    struct ta_scrape metrics; /* when status is 200 */
};

/* Looks at the machine. What cannot be looked at is left as not measured. Writes one file of 4 KiB, 32 times synced,
 * into the checkpoint directory, and removes it. config_path may be NULL. */
void ta_doctor_probe(struct ta_machine *out, const struct ta_config *config,
                     const char *config_path, int64_t hosts);

/* Asks a store; token is the text of the header, or NULL. */
void ta_doctor_ask(struct ta_asked *out, const char *url, const char *token, const char *ca_file);

/* Adds the findings on a configuration that was read. */
void ta_doctor_judge(struct ta_findings *out, const struct ta_config *config,
                     const struct ta_machine *m);
void ta_doctor_judge_store(struct ta_findings *out, const struct ta_asked *asked);

void ta_finding_add(struct ta_findings *out, enum ta_finding_level level, const char *topic,
                    const char *todo, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
