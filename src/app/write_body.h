/* write_body.h - a request whose body is line protocol: from its bytes to durable samples.
 *
 * Lines go into the store as they arrive. A bad line costs itself. With a log, the end waits for the sync that
 * covers the samples; while the log has no room the client is not read, and while it fails the answer is 503
 * with Retry-After.
 *
 * A route's handler has ta_write_body and ta_write_done as they are, begins with ta_write_begin, and ends with
 * ta_write_end and an answer of its own.
 */
#ifndef TARN_APP_WRITE_BODY_H
#define TARN_APP_WRITE_BODY_H

#include "line/line.h"
#include "net/http.h"

/* `cluster`: that of lines without one. `options` NULL: native mode; its line_max is filled in here. */
int ta_write_begin(struct ta_http_req *req, struct ta_str cluster,
                   const struct ta_line_options *options, struct ta_err *err);
int ta_write_body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                  struct ta_err *err);
/* TA_OK: every line is stored or was skipped for good. TA_EFORMAT: some lines were refused, *err has the first
 * and the counts. TA_EAGAIN: call it again after the wake. Else the answer is 503 and Retry-After is set. */
int ta_write_end(struct ta_http_req *req, struct ta_err *err);
void ta_write_done(struct ta_http_req *req, enum ta_http_outcome outcome);

#endif
