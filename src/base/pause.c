#include "base/pause.h"

#include <time.h>

bool ta_pause(pthread_mutex_t *lock, pthread_cond_t *wake, const bool *is_stopping, int ms)
{
    const long second_ns = 1000000000;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / second_ns;
    until.tv_nsec %= second_ns;
    pthread_mutex_lock(lock);
    while (!*is_stopping && pthread_cond_timedwait(wake, lock, &until) == 0)
        continue;
    bool stops = *is_stopping;
    pthread_mutex_unlock(lock);
    return stops;
}
