/* units.h - durations, times and sizes as people and the reference's config write them. */
#ifndef TARN_BASE_UNITS_H
#define TARN_BASE_UNITS_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

/* Go's duration syntax (config.md 2.3): "48h", "1h30m", "0.5h", "-3s", "0"; units ns us µs ms s
 * m h. Result in nanoseconds. TA_EFORMAT names what was wrong; TA_ERANGE beyond int64. */
int ta_parse_duration(struct ta_str s, int64_t *out_ns, struct ta_err *err);

/* Unix seconds, or RFC 3339 ("2026-11-21T06:19:00Z", with offset, fraction ignored; a date alone
 * is midnight UTC). */
int ta_parse_time(struct ta_str s, int64_t *out_s, struct ta_err *err);

/* Bytes: "4096", "32MiB", "1.5GiB", "10MB" (powers of 1000 without the i), "64k" = KiB. */
int ta_parse_size(struct ta_str s, uint64_t *out, struct ta_err *err);

/* "2026-11-21T06:19:00Z"; out has room for 32 bytes. Returns out. */
char *ta_format_time(char *out, int64_t t_s);
/* "1.5 MiB"; out has room for 32 bytes. Returns out. */
char *ta_format_size(char *out, uint64_t bytes);
/* "1h30m0s" style for whole seconds, "350ms" below one; out has room for 40 bytes. */
char *ta_format_duration(char *out, int64_t ns);

#endif
