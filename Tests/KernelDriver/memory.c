// Rooms: each a stretch of pages between two that fault.

#define _DEFAULT_SOURCE

#include "memory.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Pages have 4 KiB, 16 KiB or 64 KiB; the margin around a piece is more than any vector.
enum { largest_page = 1 << 16, margin = 256, pattern = 0xA5 };

static struct {
  unsigned char *start, *piece;
  ptrdiff_t bytes;
} rooms[room_count];

static void map(int number) {
  unsigned char *all =
      mmap(NULL, room_bytes + 2 * largest_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char *start = all + largest_page;
  if (all == MAP_FAILED || mprotect(start, room_bytes, PROT_READ | PROT_WRITE)) {
    perror("no memory to check kernels in");
    exit(2);
  }
  rooms[number].start = start;
}

void *room(int number, ptrdiff_t bytes, enum edge edge) {
  if (bytes < 0 || bytes > room_bytes - margin) {
    fprintf(stderr, "%s: %td bytes are more than a room has\n", current_place(), bytes);
    exit(2);
  }
  if (!rooms[number].start)
    map(number);
  unsigned char *start = rooms[number].start, *piece = edge == at_start ? start : start + room_bytes - bytes;
  memset(edge == at_start ? piece : piece - margin, pattern, (size_t)(bytes + margin));
  rooms[number].piece = piece;
  rooms[number].bytes = bytes;
  return piece;
}

void *room_piece(int number) { return rooms[number].piece; }

void expect_untouched_around_room(int number) {
  const unsigned char *start = rooms[number].start, *piece = rooms[number].piece;
  const unsigned char *around = piece == start ? piece + rooms[number].bytes : piece - margin;
  ptrdiff_t first = around - piece;
  for (ptrdiff_t i = 0; i < margin; i++)
    if (around[i] != pattern)
      // In bytes from the start of the piece.
      expect_equal_word(first + i, around[i], pattern);
}
