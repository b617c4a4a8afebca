/* privileges.h - becoming an ordinary user for good.
 *
 * Order: supplementary groups, group id, user id; then it is verified that no way leads back.
 * Call while the process has one thread or through glibc, which changes all threads.
 */
#ifndef TARN_APP_PRIVILEGES_H
#define TARN_APP_PRIVILEGES_H

#include "base/err.h"

/* `user` and `group` are names; "" = not given. Only a user: its own primary group is taken
 * too. Only a group: the user stays. The supplementary groups become those of the user, or the
 * one group. Nothing to do when both are empty, or when the process is that user already. */
int ta_privileges_drop(const char *user, const char *group, struct ta_err *err);

/* Whether the names exist, without becoming anybody. TA_ENOTFOUND names the key. */
int ta_privileges_check(const char *user, const char *group, struct ta_err *err);

#endif
