#include "bench/bench.h"

using namespace milliner;

BENCH(gather) {
  const Index units = 2000;
  const bench::Buffer whole(units * units), dense(units * units);
  for (const int percent : {100, 50, 10}) {
    std::minstd_rand random(7);
    std::vector<std::uint32_t> list;
    for (Index i = 0; i < units; i++)
      if (static_cast<int>(random() % 100) < percent)
        list.push_back(static_cast<std::uint32_t>(i));
    const auto count = static_cast<Index>(list.size());
    const Selection selection = {list.data(), list.data(), count, count, units};
    const double bytes = 8.0 * static_cast<double>(count * count);
    const std::string shape = std::to_string(percent) + " % of 2000x2000";
    bench.measure("gather_matrix", shape, 0, bytes, bench.table.gather_matrix,
                  GatherMatrix{whole.data(), dense.data(), selection});
    bench.measure("scatter_matrix", shape, 0, bytes, bench.table.scatter_matrix,
                  ScatterMatrix{dense.data(), nullptr, whole.data(), selection});
  }
}
