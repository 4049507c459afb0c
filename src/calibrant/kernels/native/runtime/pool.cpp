#include "pool.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace calibrant {
namespace {

// One call of run_blocks. Workers hold it by shared_ptr: one that wakes late finds no block left and lets go,
// so the caller never waits for a thread that has not started.
struct Job {
  const BlockFunction* function;
  int blocks;
  int slots;
  std::atomic<int> next_slot{0};
  std::atomic<int> next_block{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::condition_variable finished;
  int done = 0;
  std::exception_ptr error;

  Job(const BlockFunction& what, int count, int threads) : function(&what), blocks(count), slots(threads) {}

  void run_one(int block, int slot) {
    std::exception_ptr caught;
    try {
      if (!failed) (*function)(block, slot);
    } catch (...) {
      caught = std::current_exception();
      failed = true;
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (caught && !error) error = caught;
    if (++done == blocks) finished.notify_all();
  }

  void take_part() {
    const int slot = next_slot++;
    if (slot >= slots) return;
    for (int block = next_block++; block < blocks; block = next_block++) run_one(block, slot);
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    finished.wait(lock, [this] { return done == blocks; });
    if (error) std::rethrow_exception(error);
  }
};

class Pool {
 public:
  void run(int blocks, int threads, const BlockFunction& function) {
    auto job = std::make_shared<Job>(function, blocks, threads);
    std::unique_lock<std::mutex> turn(busy_, std::try_to_lock);
    if (turn) publish(job, threads - 1);
    job->take_part();
    job->wait();
  }

 private:
  std::mutex busy_;  // held by the caller whose job the workers see
  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<Job> job_;
  unsigned long generation_ = 0;
  int workers_ = 0;

  void publish(const std::shared_ptr<Job>& job, int helpers) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = job;
      ++generation_;
    }
    wake_.notify_all();
    while (workers_ < helpers && add_worker()) ++workers_;
  }

  bool add_worker() {
    try {
      std::thread(&Pool::serve, this).detach();
      return true;
    } catch (const std::system_error&) {
      return false;  // no more threads to be had: the caller does the work
    }
  }

  void serve() {
    unsigned long seen = 0;
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_ != seen; });
        seen = generation_;
        job = job_;
      }
      job->take_part();
    }
  }
};

std::atomic<Pool*> shared_pool{nullptr};

// Threads do not survive fork: the child forgets the pool (its locks may be held) and makes a new one when needed.
void forget_pool() { shared_pool = nullptr; }

Pool& pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
  (void)registered;
  Pool* current = shared_pool;
  if (!current) {
    auto fresh = std::make_unique<Pool>();
    if (shared_pool.compare_exchange_strong(current, fresh.get())) current = fresh.release();
  }
  return *current;  // never deleted: its threads live as long as the process
}

}  // namespace

void run_blocks(int blocks, int threads, const BlockFunction& function) {
  if (threads > 1 && blocks > 1) return pool().run(blocks, threads, function);
  for (int block = 0; block < blocks; ++block) function(block, 0);
}

}  // namespace calibrant
