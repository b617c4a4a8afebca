/* sql_fault.h - an SQLite VFS over the system's whose n-th call on a file fails.
 *
 * Calls that count: open, read, write, sync, truncate, shared memory. One VFS a program; not for
 * threads.
 */
#ifndef TESTS_SQL_FAULT_H
#define TESTS_SQL_FAULT_H

#include <stdbool.h>

/* The name to open databases with. */
#define SQL_FAULT_VFS "fault"

/* Registers the VFS (once) and lets `left` calls pass before one fails, or before all fail from
 * there on; left < 0: none fails. */
void sql_fault_arm(long left, bool for_good);
/* Whether a call has failed since. */
bool sql_fault_hit(void);

#endif
