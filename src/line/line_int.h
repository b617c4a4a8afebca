/* line_int.h - what the files of this module share: the cursor in a line and its tokens. */
#ifndef TARN_LINE_LINE_INT_H
#define TARN_LINE_LINE_INT_H

#include "line/line.h"

/* Position in one line. A quoted string may hold raw line ends: then `eol` and `row_at` move on. */
struct line_cursor {
    const char *p;
    const char *eol;    /* where the line's content ends: at CR LF, LF or `end` */
    const char *next;   /* behind the line end */
    const char *end;    /* of the bytes a line may use */
    const char *row_at; /* where the physical line begins, for columns */
    uint64_t row;       /* its number, 1-based */
    bool is_long;       /* `end` is where a line becomes too long */
    bool is_whole;      /* no byte after `end` can belong to the line */
    bool has_high;      /* the line has bytes >= 0x80: names must be checked for UTF-8 */
    struct ta_line *scanner;
    struct ta_line_side *side;
    struct ta_line_error *error;
};

/* What reading a part of a line comes to. */
enum {
    LINE_OK,
    LINE_BAD,     /* error filled */
    LINE_PARTIAL, /* the line goes on behind the block */
    LINE_NO_ROOM  /* the side buffer is full */
};

/* Fills the cursor's error for the token at `at`; LINE_BAD. The first error of a line stays. */
int line_bad(struct line_cursor *c, enum ta_line_reason reason, const char *at, const char *what,
             struct ta_str token);

/* Sets eol and next from c->p on. LINE_OK, LINE_PARTIAL, LINE_BAD (line too long). */
int line_find_end(struct line_cursor *c);

/* LINE_OK, or LINE_BAD at the first byte that is no UTF-8. */
int line_utf8(struct line_cursor *c, struct ta_str raw);

/* Raw bytes of a name from c->p to an unescaped stop byte, a control character or the end of the
 * line. Takes escape pairs whole; *escaped says whether there were any. */
struct ta_str line_token(struct line_cursor *c, bool stop_at_equals, bool *escaped);

/* Checks UTF-8 and length and resolves escapes: *out is the raw slice or one of the side buffer. */
int line_name(struct line_cursor *c, struct ta_str raw, bool escaped, bool has_equals_escape,
              struct ta_str *out);

/* Room for the samples of one line. */
struct line_room {
    struct ta_line_sample *at;
    size_t max, n;
    size_t left_out;
    bool is_alone; /* all there is: a line that does not fit now never will */
};

/* Reads the line at c->p, which is not blank. Behind it c->next is where the next one begins,
 * also when it is bad. LINE_NO_ROOM also when it has more samples than fit. */
int line_parse(struct line_cursor *c, struct line_room *room);

#endif
