/* handle_page.c - GET / and /web/...: the page's files, and about.json, which says what of the API is
 * there; GET /openapi.json: the description of all routes. Open to anybody: they hold no data, and what
 * they ask of the API needs a token like any other client. */
#include "app/page.h"
#include "app/routes.h"

#include <string.h>

/* Nothing from elsewhere, no inline script, no frame around it. Plots position themselves through the
 * style object of elements, which the policy allows. */
static const char *const headers[][2] = {
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                                "'self' data:; connect-src 'self'; "
                                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-cache"}, /* kept, but asked for again by its hash */
};

static const struct ta_page_file *find(struct ta_str name)
{
    for (size_t i = 0; i < ta_page_n_files; i++)
        if (ta_str_eq(name, ta_str(ta_page_files[i].name)))
            return &ta_page_files[i];
    return NULL;
}

/* {"jobs":true}: is there a side of jobs to show? */
static int about(struct ta_http_req *req)
{
    const struct ta_app *app = ta_http_app(req);

    return ta_http_reply(req, 200, "application/json",
                         app->has_jobs ? TA_STR("{\"jobs\":true}") : TA_STR("{\"jobs\":false}"));
}

static int give(struct ta_http_req *req, const struct ta_page_file *file, struct ta_err *err)
{
    struct ta_str known = ta_http_header(req, "If-None-Match");
    int r = TA_OK;

    if (!file)
        return ta_http_reply_text(req, 404, "404 page not found");
    for (size_t i = 0; i < TA_COUNT(headers) && r == TA_OK; i++)
        r = ta_http_set_header(req, headers[i][0], headers[i][1]);
    if (r == TA_OK)
        r = ta_http_set_header(req, "ETag", file->etag);
    if (r < 0)
        return ta_fail(err, r, "no memory for the page");
    if (known.at && ta_str_eq(known, ta_str(file->etag)))
        return ta_http_reply(req, 304, NULL, ta_str(""));
    return ta_http_reply(req, 200, file->type, (struct ta_str){(const char *)file->at, file->len});
}

static int page(struct ta_http_req *req, struct ta_err *err)
{
    struct ta_str name = ta_http_subpath(req);

    if (ta_str_is(name, "about.json"))
        return about(req);
    return give(req, find(name.len ? name : ta_str("index.html")), err);
}

static int openapi(struct ta_http_req *req, struct ta_err *err)
{
    return give(req, find(ta_str("openapi.json")), err);
}

const struct ta_http_handler ta_handle_page = {.end = page};
const struct ta_http_handler ta_handle_openapi = {.end = openapi};
