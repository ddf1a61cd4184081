// A random life of a cache: sequences made, forked, cut and destroyed, steps written, committed and dropped.

#ifndef CFACE_SCRIPT_H
#define CFACE_SCRIPT_H

#include "models.h"

enum { most_live = 4 };

struct script {
  struct random random;
  char text[200];
  attention_threads *threads;
  // Whether outputs are held against the formula.
  int compares;
  // Where sequences may be saved; NULL for nowhere.
  const char *path;
  // Of all outputs.
  uint64_t digest;

  attention_cache_sizes sizes;
  attention_cache *cache;
  attention_rotary *rotary;
  struct turning turning;
  // Negative for sequences that keep all.
  int64_t window;
  int64_t keeping_first, longest_append;
  int64_t groups;
  attention_type query_type;

  int live;
  attention_sequence *sequences[most_live];
  struct model models[most_live];
  // What an open step appends: which sequences, and how many tokens to each.
  int stepping;
  int members[most_live];
  int64_t counts[most_live];
};

// Runs the script of a seed; the digest of all its outputs.
uint64_t run_script(uint64_t seed, attention_threads *threads, int compares, const char *path);

// Parts of it, in script_steps.c: appends to some sequences, and attends over some.
void run_step(struct script *script);
void attend_over_sequences(struct script *script);

#endif
