// Part of attention.h, which includes it: rotary embedding, and caches of keys and values.
#ifndef ATTENTION_CACHE_H
#define ATTENTION_CACHE_H

#include "attention.h"

#ifdef __cplusplus
extern "C" {
#endif

// MARK: - Rotary embedding

/// Pairs of a row's numbers turned by angles that grow with its position: p · base^(−2i/R).
typedef struct attention_rotary attention_rotary;

/// For rows of `depth` numbers at positions below `positions`. `interleaved` not 0: pairs (x[2i], x[2i+1]); else (x[i], x[i + R/2]).
/// `rotated` is R, how many of the first numbers are turned; 0 for all.
attention_status attention_rotary_create(int64_t depth, int64_t rotated, int64_t positions, double base, int32_t interleaved,
                                         attention_rotary **rotary);
void attention_rotary_destroy(attention_rotary *rotary);

/// Turns [B, H, T, D] in place; `positions` has one for each of the T rows, the same for all sequences and heads.
attention_status attention_rotary_apply(const attention_rotary *rotary, const attention_tensor *tensor,
                                        const int64_t *positions, int64_t position_count);

// MARK: - Caches

/// What cached rows are stored in.
typedef int32_t attention_cache_type;
enum {
  ATTENTION_CACHE_FLOAT32 = 0,
  ATTENTION_CACHE_BFLOAT16 = 1,
  ATTENTION_CACHE_FLOAT16 = 2,
  /// Integers with a scale a row.
  ATTENTION_CACHE_INT8 = 3,
  /// Integers with a scale for each 32 columns. Values alone.
  ATTENTION_CACHE_INT4 = 4,
};

/// A pool of pages that holds keys and values of all layers of many sequences.
typedef struct attention_cache attention_cache;

typedef struct attention_cache_sizes {
  int64_t layers;
  /// Hkv
  int64_t heads;
  /// D, and Dv; a width of 0 stands for D.
  int64_t depth;
  int64_t width;
  attention_cache_type keys;
  attention_cache_type values;
  /// Tokens of a page, and how many pages there are.
  int64_t page_size;
  int64_t pages;
} attention_cache_sizes;

attention_status attention_cache_create(const attention_cache_sizes *sizes, attention_cache **cache);
void attention_cache_destroy(attention_cache *cache);

/// Pages that a step can have now.
int64_t attention_cache_free_pages(const attention_cache *cache);

/// A sequence without tokens.
attention_status attention_sequence_create(attention_cache *cache, attention_sequence **sequence);

/// A ring: it keeps the first tokens and a window before each query, and takes `longest_append` tokens a step at most.
attention_status attention_sequence_create_ring(attention_cache *cache, int64_t window, int64_t keeping_first,
                                                int64_t longest_append, attention_sequence **sequence);

/// A sequence that starts with as many of these tokens as whole pages of the cache hold; attention_sequence_count says how many.
attention_status attention_sequence_create_reusing(attention_cache *cache, const int64_t *tokens, int64_t count,
                                                   attention_sequence **sequence);

/// Another sequence with the same tokens; shares their pages.
attention_status attention_sequence_fork(const attention_sequence *sequence, attention_sequence **fork);

/// Drops tokens at the end.
attention_status attention_sequence_truncate(attention_sequence *sequence, int64_t count);

/// How many tokens it has; those of an open step do not count.
int64_t attention_sequence_count(const attention_sequence *sequence);

/// Writes a sequence to a file, whole or not at all; reads one into a cache of the same sizes.
attention_status attention_sequence_save(const attention_sequence *sequence, const char *path);
attention_status attention_sequence_load(attention_cache *cache, const char *path, attention_sequence **sequence);
void attention_sequence_destroy(attention_sequence *sequence);

/// What a pass through a model's layers appends to some sequences of a cache: `counts` tokens to each. `tokens`, all of them one after the
/// other, lets others reuse them; it may be NULL.
attention_status attention_step_create(attention_sequence *const *sequences, int64_t sequence_count, const int64_t *counts,
                                       const int64_t *tokens, attention_step **step);

/// Writes a layer's keys [total, Hkv, D] and values [total, Hkv, Dv] of the appended tokens, turned by their positions where `rotary` is
/// not NULL. Layers in any order. Rows for integers that hold NaN or infinities are refused after others were written: the layer counts as not
/// written then, and may be written again.
attention_status attention_step_write(attention_step *step, int64_t layer, const attention_tensor *keys,
                                      const attention_tensor *values, const attention_rotary *rotary,
                                      attention_threads *threads);

/// The position of each appended token, `count` of them.
attention_status attention_step_positions(const attention_step *step, int64_t *positions, int64_t count);

/// Makes the tokens part of their sequences, once all layers are written.
attention_status attention_step_commit(attention_step *step);

/// Ends a step. One that was not committed leaves no trace.
void attention_step_destroy(attention_step *step);

#ifdef __cplusplus
}
#endif

#endif
