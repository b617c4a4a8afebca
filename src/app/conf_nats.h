/* conf_nats.h - the tables of tarn.nats and tarn.jetstream. */
#ifndef TARN_APP_CONF_NATS_H
#define TARN_APP_CONF_NATS_H

#include "app/conf_int.h"

extern const struct ta_conf_table ta_conf_nats_more_table;
extern const struct ta_conf_table ta_conf_jetstream_table; /* of one item */

int ta_conf_read_jetstream(struct ta_conf_reader *r, const char *where, void *section,
                           struct ta_err *err);

#endif
