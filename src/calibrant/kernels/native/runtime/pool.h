// A small persistent thread pool that runs numbered blocks of work.
#pragma once

#include <functional>

namespace calibrant {

// What to do with one block; `slot` in 0..threads-1 tells which scratch memory is free for it.
using BlockFunction = std::function<void(int block, int slot)>;

// Runs every block once on at most `threads` threads, the caller among them, and returns when all are done.
// The first exception of a block is thrown again in the caller. Safe after fork; runs serially if the pool is busy.
void run_blocks(int blocks, int threads, const BlockFunction& function);

}  // namespace calibrant
