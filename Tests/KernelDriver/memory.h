// Memory that ends (or starts) next to pages that no one may touch: a kernel that reads or writes past its
// rows crashes, and main.c says where.

#ifndef KERNELDRIVER_MEMORY_H
#define KERNELDRIVER_MEMORY_H

#include <stddef.h>

enum { room_count = 14, room_bytes = 8 << 20 };

// The side of the memory that is flush with a forbidden page. At the end, alignments come out as sizes do:
// any.
enum edge { at_end, at_start, edge_count };

// `bytes` of memory, filled with a pattern, as the bytes before and behind it are. One piece at a time for
// each number below room_count.
void *room(int number, ptrdiff_t bytes, enum edge edge);

// The piece that the room has now.
void *room_piece(int number);

// The same on the side where memory follows: compares what is around the piece with the pattern.
void expect_untouched_around_room(int number);

#define FOR_EACH_EDGE(edge) for (enum edge edge = at_end; edge < edge_count; edge++)

#endif
