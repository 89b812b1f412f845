#include "threads/pool.h"

#include "dispatch/isa.h"
#include "test/kernel_test.h"

#include "kernels/flush_mode.h"

#include <atomic>
#include <chrono>
#include <thread>

#if defined(__GLIBC__)
#include <pthread.h>
#endif

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

struct Product {
  Numbers numbers{1};
  Floats x, w, y;
  LinearForward args{};

  explicit Product(Index n, Index k, Index m) : x(n * k, numbers), w(m * k, numbers), y(n * m) {
    args.x = x.data(), args.w = w.data(), args.y = y.data();
    args.n = n, args.k = k, args.m = m;
  }
};

} // namespace

CASE("any number of threads gives the same bits") {
  Product product(40, 300, 500);
  Workspace own;
  Pool pool(1);
  CHECK(launch(pool, test::table().linear_forward, product.args, own) == Status::ok);
  const std::vector<float> expected(product.y.data(), product.y.data() + product.y.size());

  for (const int threads : {2, 3, 5, 1, 4}) {
    CHECK(pool.set_threads(threads));
    CHECK(pool.threads() == threads);
    product.y.poison();
    CHECK(launch(pool, test::table().linear_forward, product.args, own) == Status::ok);
    CHECK(test::same_bits(product.y.data(), expected.data(), product.y.size()));
  }
}

CASE("callers that share a pool do not disturb each other") {
  Pool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 3; caller++)
    callers.emplace_back([&pool, &wrong] {
      const FlushMode flush;
      Product product(20, 200, 300);
      Workspace own;
      Pool alone(1);
      launch(alone, test::table().linear_forward, product.args, own);
      const std::vector<float> expected(product.y.data(), product.y.data() + product.y.size());
      for (int round = 0; round < 30; round++) {
        product.y.poison();
        launch(pool, test::table().linear_forward, product.args, own);
        if (!test::same_bits(product.y.data(), expected.data(), product.y.size()))
          wrong++;
      }
    });
  for (std::thread& caller : callers)
    caller.join();
  CHECK(wrong == 0);
}

CASE("a worker that went to sleep wakes up for the next job") {
  Pool pool(2);
  Product product(40, 300, 500);
  Workspace own;
  for (int round = 0; round < 5; round++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    CHECK(launch(pool, test::table().linear_forward, product.args, own) == Status::ok);
  }
}

CASE("every item runs once, whether its worker or the caller does it") {
  // More threads than processors: the caller takes back what many of them have not begun.
  Pool pool(9);
  std::vector<std::atomic<int>> times(100);
  const Pool::Job job = {[](const void* counts, Range items, float*) noexcept {
                           auto& all =
                               *static_cast<std::vector<std::atomic<int>>*>(const_cast<void*>(counts));
                           for (Index i = items.begin; i < items.end; i++)
                             all[static_cast<std::size_t>(i)]++;
                         },
                         &times,
                         {100, 1e6, 16}};
  Workspace own;
  constexpr int kRounds = 3000;
  for (int round = 0; round < kRounds; round++)
    CHECK(pool.run(job, own) == Status::ok);
  for (const std::atomic<int>& count : times)
    CHECK(count == kRounds);
}

#if defined(__GLIBC__)
CASE("threads that the system refuses are done without, and started when it lets them") {
  Product product(40, 300, 500);
  Workspace own;
  Pool alone(1), pool(3);
  CHECK(launch(alone, test::table().linear_forward, product.args, own) == Status::ok);
  const std::vector<float> expected(product.y.data(), product.y.data() + product.y.size());
  // No address space holds such a stack.
  pthread_attr_t usual, huge;
  pthread_getattr_default_np(&usual);
  pthread_attr_init(&huge);
  pthread_attr_setstacksize(&huge, std::size_t{1} << 47);
  pthread_setattr_default_np(&huge);

  const bool all = pool.set_threads(8);
  Pool late(4);

  pthread_setattr_default_np(&usual);
  CHECK(!all);
  CHECK(pool.threads() == 3);
  CHECK(pool.asked() == 8);
  CHECK(late.threads() == 1);
  CHECK(late.asked() == 4);
  for (Pool* fewer : {&pool, &late}) {
    product.y.poison();
    CHECK(launch(*fewer, test::table().linear_forward, product.args, own) == Status::ok);
    CHECK(test::same_bits(product.y.data(), expected.data(), product.y.size()));
  }
  CHECK(pool.set_threads(8));
  CHECK(pool.threads() == 8);
}
#endif
