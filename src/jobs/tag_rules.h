/* tag_rules.h - tags that a job earns by its figures and texts, by rules from a file.
 *
 *     {"rules": [
 *       {"type": "jobClass", "name": "idle", "scope": "global",
 *        "if": [{"field": "cpu_load_avg", "is": "<", "value": 0.5},
 *               {"field": "duration", "is": ">=", "value": 600}]},
 *       {"type": "app", "name": "gromacs",
 *        "if": [{"field": "jobScript", "matches": "gmx(_mpi)? +mdrun"}]}
 *     ]}
 *
 * A rule holds when all of its conditions hold; one about a field that the job does not have never
 * does. Fields with numbers: <metric>_avg, _min and _max of the job's statistics, numNodes, numAcc,
 * numHwthreads, smt, duration, walltime, energy; compared by < <= > >= == !=. Fields with text:
 * cluster, subCluster, partition, project, user, shared, jobState, and every key of metaData (jobName,
 * jobScript, ...), of which the first 64 KiB are matched with a POSIX extended regular expression.
 *
 * Read once, immutable afterwards, usable from any thread.
 */
#ifndef TARN_JOBS_TAG_RULES_H
#define TARN_JOBS_TAG_RULES_H

#include "jobs/job.h"

struct ta_tag_rules;

enum { TA_TAG_RULES_MAX = 1024 };

/* TA_EFORMAT naming rule and condition, TA_ERANGE (more than TA_TAG_RULES_MAX rules), TA_ENOMEM. */
int ta_tag_rules_new(struct ta_tag_rules **out, struct ta_source *json, struct ta_alloc *alloc,
                     struct ta_err *err);
void ta_tag_rules_free(struct ta_tag_rules *rules); /* NULL is fine */

/* Adds to job->tags the tags it has earned and does not have; *out_first is the place of the first
 * new one. The list grows in the arena. Returns how many; TA_ENOMEM. `alloc` lends 64 KiB. */
int ta_tag_rules_apply(const struct ta_tag_rules *rules, struct ta_job *job, struct ta_arena *arena,
                       struct ta_alloc *alloc, size_t *out_first);

#endif
