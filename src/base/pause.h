/* pause.h - how a thread with a periodic duty sleeps, so that a stop need not wait for it. */
#ifndef TARN_BASE_PAUSE_H
#define TARN_BASE_PAUSE_H

#include <pthread.h>
#include <stdbool.h>

/* Sleeps so many milliseconds or until *is_stopping, which `lock` guards and `wake` (of CLOCK_MONOTONIC) tells of.
 * Returns whether it is time to stop. */
bool ta_pause(pthread_mutex_t *lock, pthread_cond_t *wake, const bool *is_stopping, int ms);

#endif
