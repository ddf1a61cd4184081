#pragma once

// How often this thread has asked for memory: the process's allocator counts, and passes on to the C library's.
long CAllocationCount_ofThisThread(void);
