/* Pages of every encoding from any bytes; and what the encoders make of any numbers comes back. */
#include "parquet/decode.h"
#include "parquet/rle.h"

#include <stdlib.h>

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void round_trip(const uint8_t *data, size_t size)
{
    static int64_t in[512], out[512];
    static struct ta_delta delta;
    struct ta_buf buf;
    size_t n = size / 8 < 512 ? size / 8 : 512;
    size_t done = 0;
    int64_t k;

    memcpy(in, data, n * 8);
    ta_buf_init(&buf, &ta_heap, 1 * MiB);
    expect(ta_delta_encode_i64(in, n, &buf) == TA_OK);
    expect(ta_delta_init(&delta, buf.at, buf.len) == TA_OK);
    while ((k = ta_delta_next_i64(&delta, out + done, 512 - done)) > 0)
        done += (size_t)k;
    expect(k == 0 && done == n && memcmp(in, out, n * 8) == 0);
    ta_buf_done(&buf);
}

static void decode(const uint8_t *data, size_t size)
{
    static struct ta_pq_decoder decoder;
    static const unsigned char words[64] = {1, 0, 0, 0, 'a', 2, 0, 0, 0, 'b', 'c'};
    const enum ta_pq_type type = (enum ta_pq_type)(data[0] % 7);
    struct ta_pq_lexicon lexicon = {0};
    struct ta_pq_batch b;
    uint64_t rows = 0;

    (void)ta_pq_lexicon_read(&lexicon, type, words, sizeof(words), 2, &ta_heap);
    uint64_t n = data[2] | (uint64_t)data[3] << 8 | (uint64_t)(data[3] == 255) << 30;
    if (type != TA_PQ_INT96 &&
        ta_pq_decode_init(&decoder, type, data[1] % 12, data + 4, size - 4, n, &lexicon) >= 0)
        while (rows < n && ta_pq_decode_next(&decoder, n - rows, &b) > 0)
            rows += b.n;
    ta_pq_lexicon_done(&lexicon, &ta_heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    round_trip(data, size);
    decode(data, size);
    return 0;
}
