// Attention on CPUs, for C and whatever calls C.
//
//     s[i,j] = scale · (q[i] · k[j])                      softcap, biases and ALiBi change it; what a mask hides is −∞
//     p[i,j] = exp(s[i,j] − m[i]) / Σ_j exp(s[i,j] − m[i])
//     y[i]   = Σ_j p[i,j] · v[j]                          lse[i] = m[i] + ln Σ_j exp(s[i,j] − m[i])
//
// B sequences, Hq query heads, Hkv key/value heads (Hq a multiple of Hkv), Tq queries, Tk keys, widths D and Dv.
//
// Memory. Tensors are descriptions of the caller's memory: it is read, or written for results, during the call alone, and is never kept;
// attention_run copies none of it as a whole. Results must not overlap each other or any input. What a function makes, its _destroy function gives back;
// NULL is fine there. What a handle needs it keeps alive itself, so handles may be destroyed in any order.
//
// Errors. Functions return ATTENTION_OK or say by attention_last_error() which argument was wrong, what was given and what was expected.
// Nothing is written or made then, but for what attention_step_write says. No exception and no signal comes out of this library for anything that it can check. What it
// cannot check: that memory is as large as shapes and strides say, that results overlap no operand, that handles are alive, and that nobody
// changes operands during a call.
//
// Threads. Any function may be called from any thread. Calls that find the pool of threads busy compute on their own thread. A handle must
// not be destroyed while another thread uses it. After fork() a child computes on the calling thread; a child must not use caches whose
// steps other threads of the parent had open.
#ifndef ATTENTION_H
#define ATTENTION_H

#include <stddef.h>
#include <stdint.h>

/// The version of this header; attention_version() is the library's.
#define ATTENTION_VERSION "0.2.0"

#ifdef __cplusplus
extern "C" {
#endif

// MARK: - Errors

/// What became of a call.
typedef int32_t attention_status;
enum {
  ATTENTION_OK = 0,
  /// An argument does not fit the others, or a limit.
  ATTENTION_INVALID_ARGUMENT = 1,
  /// The system has no memory for scratch, a cache or a result.
  ATTENTION_OUT_OF_MEMORY = 2,
};

/// "argument: what was given, what was expected", of the calling thread's last call that failed; "" before. Valid until its next failure.
const char *attention_last_error(void);

/// The library's version, "0.2.0" for instance.
const char *attention_version(void);

// MARK: - Threads

/// A pool of threads. NULL stands for the pool of the process, one thread for each CPU that it may use.
typedef struct attention_threads attention_threads;

/// A pool of `count` threads, the calling thread included: 1 to 1024.
attention_status attention_threads_create(int64_t count, attention_threads **threads);
void attention_threads_destroy(attention_threads *threads);

/// How many threads a pool has.
int64_t attention_thread_count(const attention_threads *threads);

// MARK: - Tensors

/// Element types.
typedef int32_t attention_type;
enum {
  ATTENTION_FLOAT32 = 1,
  ATTENTION_FLOAT64 = 2,
  ATTENTION_FLOAT16 = 3,
  ATTENTION_BFLOAT16 = 4,
  ATTENTION_INT8 = 5,
  /// One byte, 0 or 1.
  ATTENTION_BOOL = 6,
  ATTENTION_INT32 = 7,
};

/// Numbers in the caller's memory. All zeros means, within attention_key_values: no tensor.
typedef struct attention_tensor {
  /// Element [0, 0, …], at a multiple of the element's size. May be NULL where an axis has length 0.
  void *data;
  attention_type type;
  /// How many axes are used, 1 to 4.
  int32_t rank;
  int64_t shape[4];
  /// From one index to the next, in elements: any number, 0 and negative ones included; results need a place for each element.
  int64_t strides[4];
} attention_tensor;

/// A row-major tensor.
attention_tensor attention_dense(void *data, attention_type type, int32_t rank, const int64_t *shape);

// MARK: - Queries, keys and values

/// Queries: every row of [B, Hq, Tq, D], or with lengths the first rows of each sequence; or packed, [total, Hq, D] with lengths,
/// one sequence after the other. FLOAT32, FLOAT64, FLOAT16 or BFLOAT16. Rows past lengths give 0, with a log-sum-exp of −∞.
typedef struct attention_queries {
  attention_tensor tensor;
  /// One a sequence; NULL where every row is a query.
  const int64_t *lengths;
  int64_t length_count;
} attention_queries;

/// Where keys and values lie.
typedef int32_t attention_source;
enum {
  /// keys [B, Hkv, Tk, D], values [B, Hkv, Tk, Dv]; with lengths, the first rows of each sequence.
  ATTENTION_PADDED = 0,
  /// keys [total, Hkv, D], values [total, Hkv, Dv], one sequence after the other; lengths.
  ATTENTION_PACKED = 1,
  /// keys [pages, page size, Hkv, D], values likewise; page_table INT32 [B, pages of a sequence]; lengths.
  ATTENTION_PAGED = 2,
  /// The parts, one after the other along the keys.
  ATTENTION_JOINED = 3,
  /// A layer of a step: its sequences, the appended tokens included once the layer is written.
  ATTENTION_STEP = 4,
  /// A layer of sequences as they are. Of a ring, the rows that its next token's query sees: one position fewer than the window of its last.
  ATTENTION_SEQUENCES = 5,
};

typedef struct attention_sequence attention_sequence;
typedef struct attention_step attention_step;

/// Keys and values. FLOAT32, FLOAT16, BFLOAT16, FLOAT64 beside FLOAT64 queries, or INT8 with scales.
typedef struct attention_key_values {
  attention_source source;
  attention_tensor keys;
  attention_tensor values;
  /// Of INT8, FLOAT32: one scale a row, the shape of the integers without their last axis.
  attention_tensor key_scales;
  attention_tensor value_scales;
  /// One a sequence; NULL with ATTENTION_PADDED where all rows are in use.
  const int64_t *lengths;
  int64_t length_count;
  attention_tensor page_table;
  const struct attention_key_values *parts;
  int64_t part_count;
  const attention_step *step;
  const attention_sequence *const *sequences;
  int64_t sequence_count;
  int64_t layer;
} attention_key_values;

// MARK: - Options

/// Where query 0 stands among the keys: query i has position i + offset. Causal masks, windows and ALiBi count from there.
typedef int32_t attention_alignment;
enum {
  /// The last query on the last key.
  ATTENTION_BOTTOM_RIGHT = 0,
  /// Query 0 on key 0.
  ATTENTION_TOP_LEFT = 1,
  /// The offsets given.
  ATTENTION_OFFSETS = 2,
};

/// Scores of one query of one head with consecutive keys, for a modifier to change.
typedef struct attention_scores {
  /// FLOAT32 or FLOAT64: what `scores` points to.
  attention_type type;
  void *scores;
  /// The first score's key; the others follow it.
  int64_t key;
  int64_t count;
  int64_t sequence;
  int64_t head;
  int64_t query;
  /// The key that the query stands on.
  int64_t position;
} attention_scores;

/// Changes scores after all biases and before keys are hidden; −∞ hides a key. Called on many threads at once, for any part of a row; a new
/// score may depend on its old value and its place alone.
typedef void (*attention_modifier)(void *context, const attention_scores *scores);

/// What is constant in a model. All zeros is plain attention; NULL stands for that.
typedef struct attention_options {
  /// The factor on the dot products; NULL for 1/√D.
  const double *scale;
  /// Not 0: j <= i + offset.
  int32_t causal;
  attention_alignment alignment;
  /// With ATTENTION_OFFSETS: one for all sequences, or one a sequence.
  const int64_t *offsets;
  int64_t offset_count;
  /// i + offset − left <= j <= i + offset + right; NULL: unbounded.
  const int64_t *window_left;
  const int64_t *window_right;
  /// With a window: keys from the start of the sequence that stay visible.
  int64_t keeping_first;
  /// BOOL: a key is visible where true. Any float type: added to the scores. Each broadcasts to [B, Hq, Tq, Tk].
  const attention_tensor *masks;
  int64_t mask_count;
  /// − slope · |i + offset − j| is added; one slope a query head.
  const double *alibi_slopes;
  int64_t alibi_slope_count;
  /// softcap · tanh(s / softcap); 0 for none.
  double softcap;
  /// One a query head: takes its share of the weights and has no value.
  const double *sinks;
  int64_t sink_count;
  /// Not 0: scores, softmax and sums in double.
  int32_t softmax_in_float64;
  attention_modifier modifier;
  void *modifier_context;
  attention_threads *threads;
} attention_options;

// MARK: - Attention

/// Attention into the caller's memory.
///
/// `output` has the type of the queries: [B, Hq, Tq, Dv], or [total, Hq, Dv] of packed queries. `log_sum_exp` is FLOAT32 (FLOAT64
/// beside FLOAT64 queries): [B, Hq, Tq], or [Hq, total]; NULL where it is not wanted. Any strides.
attention_status attention_run(const attention_queries *queries, const attention_key_values *key_values,
                               const attention_options *options, const attention_tensor *output,
                               const attention_tensor *log_sum_exp);

/// How attention_run would compute a call, as text: kernel, tiles, threads and memory, and why.
///
/// Writes at most `capacity` bytes with a final 0, and the length of the whole text to `length`, which may be NULL.
attention_status attention_describe(const attention_queries *queries, const attention_key_values *key_values,
                                    const attention_options *options, char *text, size_t capacity, size_t *length);

/// Attention over several sets of keys from the attention over each: outputs [..., Dv] of 2 to 4 axes and log-sum-exps [...], of one shape and type.
/// Parts merge in the order given. A part whose log-sum-exp is −∞ leaves no trace. Sinks belong to no part.
attention_status attention_merge(const attention_tensor *outputs, const attention_tensor *log_sum_exps, int64_t count,
                                 const attention_tensor *output, const attention_tensor *log_sum_exp);

/// Rounds rows of 2 to 4 axes to INT8: scale = max|x| / 127 of a row, integer = x / scale to the nearest. `integers` has the shape of `numbers`, `scales`
/// that shape without its last axis. Rows with NaN or infinities are refused.
attention_status attention_quantize(const attention_tensor *numbers, const attention_tensor *integers,
                                    const attention_tensor *scales);

#ifdef __cplusplus
}
#endif

#include "attention_cache.h"

#endif
