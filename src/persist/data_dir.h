/* data_dir.h - what of the data directory is ours alone, and what is set aside.
 *
 *   ROOT/.tarn/log/            segments of the write-ahead log (log_format.h)
 *   ROOT/.tarn/log/lock        held by the server of this directory
 *   ROOT/.tarn/lost+found/     files that belong nowhere
 *
 * Everything stands three levels deep or in directories: the reference refuses to start on a file at its
 * first two levels, and reads *.json and *.bin only (spec: formats 6).
 *
 * A damaged file is set aside, never deleted: <name>.corrupt beside where it was, and <name>.corrupt.note, one
 * line of JSON: {"file":...,"time":...,"damage":[{"at":...,"bytes":...,"why":...}]}.
 */
#ifndef TARN_PERSIST_DATA_DIR_H
#define TARN_PERSIST_DATA_DIR_H

#include "base/clock.h"
#include "io/vfs.h"
#include "persist/host_files.h"

struct ta_data_dir {
    struct ta_vfs *vfs;
    struct ta_file *lock;
    char root[TA_PATH_MAX];
    char log[TA_PATH_MAX];
    char lost[TA_PATH_MAX];
};

/* Makes the directories that are missing (0750) and takes the lock. TA_ESTATE: another server has it.
 * TA_ERANGE: the path is too long. Borrows vfs. */
int ta_data_dir_open(struct ta_data_dir *d, struct ta_vfs *vfs, const char *root,
                     struct ta_err *err);
void ta_data_dir_close(struct ta_data_dir *d); /* fine on a zeroed struct */

/* Damage of one file, the first places of it. */
enum { TA_DAMAGE_PLACES = 8 };
struct ta_damage {
    struct {
        uint64_t at, bytes;
        const char *why; /* static */
    } place[TA_DAMAGE_PLACES];
    size_t n; /* all of them; the first TA_DAMAGE_PLACES are kept */
};

void ta_damage_add(struct ta_damage *d, uint64_t at, uint64_t bytes, const char *why);

/* Renames `path` to <path>.corrupt (or .corrupt.2 ...), writes the note, syncs the directory. */
int ta_set_aside(struct ta_vfs *vfs, const char *path, const struct ta_damage *d, int64_t now_s,
                 struct ta_err *err);
/* Copies instead and leaves `path`: for a file whose good part must be loaded again should the process
 * die before a checkpoint covers it. A copy of the same size is taken for this one's. */
int ta_set_aside_copy(struct ta_vfs *vfs, const char *path, const struct ta_damage *d,
                      int64_t now_s, struct ta_err *err);
/* Only the note, as <path>.note. */
int ta_note_damage(struct ta_vfs *vfs, const char *path, const struct ta_damage *d, int64_t now_s,
                   struct ta_err *err);
/* For a file noted so: it becomes <path>.corrupt with its note; any other one is deleted. Does not sync. */
int ta_retire(struct ta_vfs *vfs, const char *path, struct ta_err *err);

/* Moves a file that belongs nowhere to lost+found, under <name>.stray or .stray.2 ... */
int ta_set_aside_stray(const struct ta_data_dir *d, const char *path, const char *name,
                       struct ta_err *err);

#endif
