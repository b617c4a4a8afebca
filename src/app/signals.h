/* signals.h - the signals of the server, taken one by one by its main thread.
 *
 *     SIGINT, SIGTERM  stop gracefully; a second one, sent while a stop takes longer than a
 *                      second, ends the process at once
 *     SIGHUP           reload
 *     SIGUSR1          checkpoint now
 *     SIGPIPE          ignored
 */
#ifndef TARN_APP_SIGNALS_H
#define TARN_APP_SIGNALS_H

#include "base/err.h"

enum ta_signal { TA_SIGNAL_NONE, TA_SIGNAL_STOP, TA_SIGNAL_RELOAD, TA_SIGNAL_CHECKPOINT };

/* Blocks them in the calling thread; threads made afterwards inherit that. */
int ta_signals_block(struct ta_err *err);
/* The next one; TA_SIGNAL_NONE after `timeout_ms`. */
enum ta_signal ta_signals_wait(int timeout_ms);
/* From now on a signal to stop, if it does not come within a second of this call, ends the
 * process with status 1 whatever it is doing. */
void ta_signals_arm_abort(void);

#endif
