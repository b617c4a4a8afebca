/* job_call_int.h - what the parts of a call share. */
#ifndef TARN_APP_JOB_CALL_INT_H
#define TARN_APP_JOB_CALL_INT_H

#include "app/job_call.h"
#include "io/json_read.h"

/* Of one answer in a file: all threads of 64 nodes for a day. */
#define JOB_ANSWER_BYTES_MAX (1ULL << 30)

/* Room for one answer in a file more? It is counted until the call is freed. TA_EAGAIN: there are 16, for
 * clients that are slow to take them. */
int job_take_room(struct ta_job_call *c, struct ta_err *err);
/* A file without a name, beside the database: gone with the answer, or the process. `name` is its own while it
 * is made, of one thread. */
int job_open_file(struct ta_job_call *c, const char *name, struct ta_file **out,
                  struct ta_err *err);

/* Each answers, and returns nothing that anybody needs: TA_OK. */
int job_reply(struct ta_job_call *c, int status, struct ta_str json);
int job_refuse(struct ta_job_call *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* An error of the repository or of memory, with its own words. */
int job_fail(struct ta_job_call *c, int code, const char *what, const struct ta_err *why);
int job_reply_job(struct ta_job_call *c, const struct ta_job *job);

/* The body as one JSON object: each member goes to `member`, which reads its value from `r`; 1 = read,
 * 0 = there is no such member. False: it has been refused with 400. */
typedef int (*job_member)(void *self, struct ta_str key, struct ta_json_reader *r,
                          struct ta_arena *arena, struct ta_err *err);
bool job_read_object(struct ta_job_call *c, job_member member, void *self);
bool job_refuse_body(struct ta_job_call *c, int code, const struct ta_err *why); /* false */
/* The values of members. */
int job_read_i64(struct ta_json_reader *r, int64_t *out, struct ta_err *err);
int job_read_str(struct ta_json_reader *r, struct ta_str *out, struct ta_arena *arena,
                 struct ta_err *err);

/* The row in the path. False: it has been refused. */
bool job_read_row(struct ta_job_call *c, int64_t *out);
/* A decimal number, or the words of the reference's parser in `why`. */
int job_parse_i64(struct ta_str text, int64_t *out, struct ta_err *why);

/* Cuts the next pair off the query and decodes it into the arena: 1 = there, 0 = no more, -1 = it has been
 * refused. */
int job_query_pair(struct ta_job_call *c, struct ta_str *rest, struct ta_str *name,
                   struct ta_str *value);

/* A job that this token may see. TA_ENOTFOUND; TA_EDENIED: it has been refused; TA_E... */
int job_get(struct ta_job_call *c, struct ta_repository *r, int64_t row, struct ta_job *out,
            struct ta_err *why);
/* The one in the path. False: it has been refused. */
bool job_find(struct ta_job_call *c, struct ta_repository *r, struct ta_job *out);

struct ta_job_viewer job_viewer(const struct ta_job_call *c);
/* May they give tags of that scope? */
bool job_may_tag(const struct ta_job_call *c, struct ta_str scope);
/* Of the configuration, or without any those of the archive. */
const struct ta_clusters *job_clusters(const struct ta_job_call *c);
const struct ta_cluster *job_cluster(const struct ta_job_call *c, struct ta_str name); /* or NULL */
bool job_is_api(const struct ta_job_call *c); /* its only role, or no tokens at all */

void job_call_start(struct ta_job_call *c, struct ta_repository *r);
void job_call_stop(struct ta_job_call *c, struct ta_repository *r);
void job_call_list(struct ta_job_call *c, struct ta_repository *r);
void job_call_data(struct ta_job_call *c, struct ta_repository *r);
void job_call_select(struct ta_job_call *c, struct ta_repository *r);
void job_call_metrics(struct ta_job_call *c, struct ta_repository *r);
void job_call_clusters(struct ta_job_call *c, struct ta_repository *r);
void job_call_get(struct ta_job_call *c, struct ta_repository *r);
void job_call_used_nodes(struct ta_job_call *c, struct ta_repository *r);
void job_call_edit_meta(struct ta_job_call *c, struct ta_repository *r);
void job_call_tag(struct ta_job_call *c, struct ta_repository *r);
void job_call_drop_tags(struct ta_job_call *c, struct ta_repository *r);
void job_call_delete(struct ta_job_call *c, struct ta_repository *r);
void job_call_delete_before(struct ta_job_call *c, struct ta_repository *r);
void job_call_archive(struct ta_job_call *c, struct ta_repository *r);
void job_call_get_machine(struct ta_job_call *c, struct ta_repository *r);
void job_call_put_machine(struct ta_job_call *c, struct ta_repository *r);
void job_call_node_states(struct ta_job_call *c, struct ta_repository *r);

/* What an edit or a deletion by request names. */
struct job_request {
    struct ta_job_match match;
    bool has_job_id;
    struct ta_str key, value;
};
int job_request_member(void *self, struct ta_str key, struct ta_json_reader *r,
                       struct ta_arena *arena, struct ta_err *err);

#endif
