/* generator.h - one handler for all routes that take a JSON request and stream their answer.
 *
 * The body is decoded as it comes; the answer is made while it is sent. What differs stands in a row of
 * functions, which is the route's data.
 */
#ifndef TARN_APP_GENERATOR_H
#define TARN_APP_GENERATOR_H

#include "app/body.h"
#include "app/routes.h"

struct ta_generator {
    /* An object for one request; freed with `free`. */
    int (*make)(void **out, const struct ta_app *app, struct ta_err *err);
    ta_body_parser parse;
    /* 1 = more, 0 = complete, < 0 = error. */
    int (*fill)(void *object, const struct ta_app *app, struct ta_buf *room, struct ta_err *err);
    void (*free)(void *object); /* NULL is fine */
};

extern const struct ta_generator ta_generate_query;  /* spec: http-api 4 */
extern const struct ta_generator ta_generate_health; /* spec: http-api 7 */
extern const struct ta_generator ta_generate_load;   /* doc/load-api.md */

/* For routes whose data is a struct ta_generator. */
extern const struct ta_http_handler ta_handle_generator;

#endif
