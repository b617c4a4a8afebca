/* services_int.h - shared by services.c, transfer.c, logdb.c and status_change.c. */
#ifndef TARN_SWEEP_SERVICES_INT_H
#define TARN_SWEEP_SERVICES_INT_H

#include "sweep/services.h"

struct ta_services *ta_services_of(struct ta_port *port);

/* One call with the headers of these services; ready's URL is taken and freed. `end` may be NULL. */
struct service_call {
    enum ta_upstream upstream;
    const char *method;
    struct ta_buf url;
    struct ta_str body;
    bool is_idempotent;
    ta_call_reader read;
    void *self;
};

void ta_service_prepare(struct ta_services *s, struct service_call *c, enum ta_upstream upstream,
                        const char *method);
/* `built` is what putting the URL together gave. */
int ta_service_call(struct ta_services *s, struct service_call *c, int built,
                    struct ta_call_end *end, struct ta_err *err);

int ta_service_transfer(struct ta_port *port, struct ta_str workflow, struct ta_arena *arena,
                        struct ta_transfer *out, struct ta_err *err);
int ta_service_has_log(struct ta_port *port, struct ta_str workflow, struct ta_err *err);
int ta_service_clean_log(struct ta_port *port, struct ta_str workflow, struct ta_err *err);
int ta_service_archive(struct ta_port *port, struct ta_str workflow, const char *target,
                       struct ta_err *err);
int ta_service_alert(struct ta_port *port, const struct ta_alert *alert, struct ta_err *err);

#endif
