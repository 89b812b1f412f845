#include "bench/comparisons.h"

#include "bench/bench.h"
#include "bench/peers.h"
#include "bench/roofline.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

namespace bench {

using milliner::Index;

namespace {

struct Candidate {
  std::string name;
  std::function<void()> run;
};

struct Shape {
  Index n, k, m; // rows of the batch, inputs, outputs

  std::string name() const { return std::to_string(n) + "x" + std::to_string(k) + "x" + std::to_string(m); }
  double flops() const { return 2.0 * static_cast<double>(n * k * m); }
};

// The three arrays of a layer. A product reads two of them and writes the third.
struct Layer {
  explicit Layer(Shape s) : shape(s), x(s.n * s.k, 1), w(s.m * s.k, 2), y(s.n * s.m, 3) {}

  Shape shape;
  Buffer x, w, y;
};

// Units of a layer in ascending order, each taken with the same probability.
std::vector<std::uint32_t> some_units(Index units, Index count, unsigned seed) {
  std::vector<std::uint32_t> all(static_cast<std::size_t>(units));
  for (Index i = 0; i < units; i++)
    all[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(i);
  std::minstd_rand random(seed);
  for (std::size_t i = all.size() - 1; i > 0; i--)
    std::swap(all[i], all[random() % (i + 1)]);
  all.resize(static_cast<std::size_t>(count));
  std::sort(all.begin(), all.end());
  return all;
}

// For every unit the earlier tasks that use it, one bit each: about half of the units are used by some task.
std::vector<unsigned> signatures(Index units, int tasks, unsigned seed) {
  // 1 - (1 - p)^tasks = 1/2.
  const double p = 1 - std::pow(0.5, 1.0 / tasks);
  std::minstd_rand random(seed);
  std::uniform_real_distribution<double> uniform;
  std::vector<unsigned> result(static_cast<std::size_t>(units));
  for (unsigned& signature : result)
    for (int task = 0; task < tasks; task++)
      if (uniform(random) < p)
        signature |= 1u << task;
  return result;
}

class Comparisons {
public:
  Comparisons(const milliner::Table& table, const ComparisonOptions& options)
      : table_(table), options_(options), pool_(options.threads), single_(1),
        peers_(open_peers(options.threads)) {}

  bool print_all() {
    print_peers();
    for (const Shape shape : {Shape{64, 784, 2000},
                              {64, 2000, 2000},
                              {256, 2048, 2048},
                              {1024, 1024, 1024},
                              {2048, 2048, 2048},
                              {16, 2000, 2000}})
      compare_products(shape);
    compare_single_row({1, 2000, 2000});
    compare_sparse({64, 784, 2000});
    compare_sparse({64, 2000, 2000});
    for (const double density : {1.0, 0.5, 0.25, 0.1})
      compare_masked({64, 2000, 2000}, density);
    compare_locked({64, 2000, 2000});
    return all_equal_;
  }

private:
  void print_peers() const {
    std::printf("{\"isa\": \"%s\", \"threads\": %d, \"peers\": [", table_.name, options_.threads);
    for (std::size_t i = 0; i < peers_.installed.size(); i++)
      std::printf("%s\"%s\"", i ? ", " : "", peers_.installed[i]->name().c_str());
    std::printf("], \"missing\": [");
    for (std::size_t i = 0; i < peers_.missing.size(); i++)
      std::printf("%s\"%s\"", i ? ", " : "", peers_.missing[i].c_str());
    std::printf("]}\n");
    std::fflush(stdout);
  }

  bool is_wanted(const std::string& name) const {
    return !options_.only || name.find(options_.only) != std::string::npos;
  }

  // Ours on the pool, and, for what a second thread brings, ours on one thread of the same run.
  template <class Args>
  void add_ours(std::vector<Candidate>& list, const milliner::Kernel<Args>& kernel, const Args& args) {
    list.push_back({"ours", [this, &kernel, args] { milliner::launch(pool_, kernel, args, workspace_); }});
    if (pool_.threads() > 1)
      list.push_back({"ours on one thread",
                      [this, &kernel, args] { milliner::launch(single_, kernel, args, workspace_); }});
  }

  void add_peers(std::vector<Candidate>& list, const Product& product) const {
    for (const auto& peer : peers_.installed)
      list.push_back({peer->name(), [&peer, product] { peer->multiply(product); }});
  }

  // Y = X W^T, dX = dY W, dW = dY^T X of one layer.
  static Product forward_of(const Layer& l) {
    return {false, true, l.shape.n, l.shape.m, l.shape.k, l.x.data(), l.w.data(), l.y.data()};
  }
  static Product input_gradient_of(const Layer& l) {
    return {false, false, l.shape.n, l.shape.k, l.shape.m, l.y.data(), l.w.data(), l.x.data()};
  }
  static Product weight_gradient_of(const Layer& l) {
    return {true, false, l.shape.m, l.shape.k, l.shape.n, l.y.data(), l.x.data(), l.w.data()};
  }

  milliner::LinearForward forward_args(const Layer& l) const {
    milliner::LinearForward args{};
    args.x = l.x.data(), args.w = l.w.data(), args.y = l.y.data();
    args.n = l.shape.n, args.k = l.shape.k, args.m = l.shape.m;
    return args;
  }
  milliner::LinearWeightUpdate update_args(const Layer& l) const {
    milliner::LinearWeightUpdate args{};
    args.dy = l.y.data(), args.x = l.x.data(), args.w = l.w.data(), args.lr = 1e-9f;
    args.n = l.shape.n, args.k = l.shape.k, args.m = l.shape.m;
    return args;
  }

  void compare_products(Shape shape) {
    const Layer layer(shape);
    const auto& [n, k, m] = shape;
    const float *x = layer.x.data(), *w = layer.w.data(), *y = layer.y.data();
    std::vector<Candidate> forward, input, weight, update;
    add_ours(forward, table_.linear_forward, forward_args(layer));
    add_peers(forward, forward_of(layer));
    compare("forward " + shape.name(), shape.flops(), forward, y, n * m);
    add_ours(input, table_.linear_input_gradient,
             milliner::LinearInputGradient{y, w, layer.x.data(), n, k, m});
    add_peers(input, input_gradient_of(layer));
    compare("dX " + shape.name(), shape.flops(), input, x, n * k);
    add_ours(weight, table_.linear_weight_gradient,
             milliner::LinearWeightGradient{y, x, layer.w.data(), n, k, m});
    add_peers(weight, weight_gradient_of(layer));
    compare("dW " + shape.name(), shape.flops(), weight, w, m * k);
    // What a step of ours does instead; the peers would have to pass over the weights once more.
    if (n != 64)
      return;
    add_ours(update, table_.linear_weight_update, update_args(layer));
    add_peers(update, weight_gradient_of(layer));
    compare("dW with SGD " + shape.name(), shape.flops(), update, nullptr, 0);
  }

  void compare_single_row(Shape shape) {
    const Layer layer(shape);
    std::vector<Candidate> list;
    add_ours(list, table_.linear_forward, forward_args(layer));
    add_peers(list, forward_of(layer));
    compare("forward " + shape.name(), shape.flops(), list, layer.y.data(), shape.n * shape.m, &layer);
  }

  // The products of a layer whose inputs and gradients have come through ReLU and dropout: a quarter of them
  // is left, and the peers multiply the zeros.
  void compare_sparse(Shape shape) {
    const Layer layer(shape);
    const auto& [n, k, m] = shape;
    const Buffer dx(n * k);
    put_zeros(layer.x, n * k);
    const Buffer dy(n * m);
    put_zeros(dy, n * m);
    const double flops = shape.flops() / 4;
    const auto name = [&](const char* product, const char* sparse) {
      return std::string(product) + " " + shape.name() + ", 3/4 of " + sparse + " zero";
    };
    std::vector<Candidate> forward, input, update;
    add_ours(forward, table_.linear_forward, forward_args(layer));
    add_peers(forward, forward_of(layer));
    compare(name("forward", "x"), flops, forward, layer.y.data(), n * m);
    add_ours(input, table_.linear_input_gradient,
             milliner::LinearInputGradient{dy.data(), layer.w.data(), dx.data(), n, k, m});
    add_peers(input, {false, false, n, k, m, dy.data(), layer.w.data(), dx.data()});
    compare(name("dX", "dY"), flops, input, dx.data(), n * k);
    milliner::LinearWeightUpdate args = update_args(layer);
    args.dy = dy.data();
    add_ours(update, table_.linear_weight_update, args);
    add_peers(update, {true, false, m, k, n, dy.data(), layer.x.data(), layer.w.data()});
    compare(name("dW with SGD", "dY"), flops, update, nullptr, 0);
  }

  // The plan's kernel on compact weights, against the peers' product of the whole layer.
  void compare_masked(Shape shape, double density) {
    const auto units = [density](Index all) {
      return static_cast<Index>(std::lround(density * static_cast<double>(all)));
    };
    const Layer dense(shape), compact({shape.n, units(shape.k), units(shape.m)});
    const std::vector<std::uint32_t> rows = some_units(shape.n, shape.n, 4);
    const std::vector<std::uint32_t> inputs = some_units(shape.k, compact.shape.k, 5);
    const std::vector<std::uint32_t> outputs = some_units(shape.m, compact.shape.m, 6);
    const milliner::LinearForward args = forward_args(compact);
    char text[16];
    std::snprintf(text, sizeof text, "%g", density);
    const std::string name = "masked forward " + shape.name() + ", density " + text;

    std::vector<Candidate> plan;
    add_ours(plan, table_.linear_forward, args);
    add_peers(plan, forward_of(dense));
    compare(name, compact.shape.flops(), plan, nullptr, 0);

    const milliner::GatherMatrix gather = {
        dense.x.data(), compact.x.data(), {rows.data(), inputs.data(), shape.n, compact.shape.k, shape.k}};
    const milliner::ScatterMatrix scatter = {
        compact.y.data(),
        nullptr,
        dense.y.data(),
        {rows.data(), outputs.data(), shape.n, compact.shape.m, shape.m}};
    std::vector<Candidate> scattered;
    scattered.push_back({"ours", [&] {
                           milliner::launch(pool_, table_.gather_matrix, gather, workspace_);
                           milliner::launch(pool_, table_.linear_forward, args, workspace_);
                           milliner::launch(pool_, table_.scatter_matrix, scatter, workspace_);
                         }});
    add_peers(scattered, forward_of(dense));
    compare(name + ", x gathered and y scattered", compact.shape.flops(), scattered, nullptr, 0);
  }

  // The update of a plan at density 0.5, half of whose units are protected:
  // by earlier tasks that chose at random.
  void compare_locked(Shape shape) {
    const Layer dense(shape), compact({shape.n, shape.k / 2, shape.m / 2});
    const auto& [n, k, m] = compact.shape;
    const std::vector<unsigned> inputs = signatures(k, 5, 6), outputs = signatures(m, 5, 7);
    const Index row = milliner::lock_words(k);
    for (const bool tight : {false, true}) {
      std::vector<std::uint32_t> locks(static_cast<std::size_t>(m * row));
      Index free = 0;
      for (Index i = 0; i < m; i++)
        for (Index j = 0; j < k; j++) {
          const unsigned a = outputs[static_cast<std::size_t>(i)], b = inputs[static_cast<std::size_t>(j)];
          if (tight ? (a & b) != 0 : a != 0 && b != 0)
            locks[static_cast<std::size_t>(i * row + j / 32)] |= 1u << (j % 32);
          else
            free++;
        }
      milliner::LinearWeightUpdate args = update_args(compact);
      args.locks = locks.data();
      std::vector<Candidate> list;
      add_ours(list, table_.linear_weight_update, args);
      add_peers(list, weight_gradient_of(dense));
      compare("dW " + shape.name() + ", density 0.5, half protected, " + (tight ? "tight" : "min"),
              2.0 * static_cast<double>(n * free), list, nullptr, 0);
    }
  }

  // Runs the candidates in turns and prints their times. `result` of `floats` is what each of them writes,
  // null where they do not compute the same. `read` is the layer whose weights are read once, or null.
  void compare(const std::string& name, double flops, const std::vector<Candidate>& list, const float* result,
               Index floats, const Layer* read = nullptr) {
    if (!is_wanted(name))
      return;
    if (result && !are_equal(name, list, result, floats))
      return;
    // A millisecond at least between two readings of the clock.
    std::vector<int> repeats;
    for (const Candidate& candidate : list) {
      candidate.run();
      const double start = now(pool_);
      candidate.run();
      repeats.push_back(std::clamp(static_cast<int>(1e-3 / (now(pool_) - start + 1e-9)), 1, 1000));
    }
    std::vector<std::vector<double>> seconds(list.size());
    std::vector<double> peaks, reads;
    double total = 0;
    for (int round = 0; round < options_.rounds && (round < kLeastRounds || total < kMostSeconds); round++) {
      const double start = now(pool_);
      peaks.push_back(sample_peak(table_, pool_));
      if (read)
        reads.push_back(sample_read(table_, pool_, read->w.data(), read->shape.m * read->shape.k));
      for (std::size_t turn = 0; turn < list.size(); turn++) {
        const std::size_t i = (turn + static_cast<std::size_t>(round)) % list.size();
        seconds[i].push_back(time(list[i], repeats[i]));
      }
      total += now(pool_) - start;
    }
    print(name, flops, list, seconds, peaks, reads);
  }

  double time(const Candidate& candidate, int repeats) const {
    // The threads of whoever ran before spin for a while (peers.cc), on cores that this candidate needs. Its
    // own have gone to sleep by then, as they do not between the products of a step: one product wakes them.
    if (pool_.threads() > 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      candidate.run();
    }
    const double start = now(pool_);
    for (int i = 0; i < repeats; i++)
      candidate.run();
    return (now(pool_) - start) / repeats;
  }

  // Whether all candidates write the same up to rounding: a peer called with the wrong strides is no peer.
  bool are_equal(const std::string& name, const std::vector<Candidate>& list, const float* result,
                 Index floats) {
    std::vector<float> first;
    for (const Candidate& candidate : list) {
      candidate.run();
      if (first.empty()) {
        first.assign(result, result + floats);
        continue;
      }
      double largest = 0, difference = 0;
      for (Index i = 0; i < floats; i++) {
        const double ours = first[static_cast<std::size_t>(i)];
        largest = std::max(largest, std::abs(ours));
        difference = std::max(difference, std::abs(ours - static_cast<double>(result[i])));
      }
      // Sums of up to 2048 terms in another order: some 1e-6 of the largest.
      if (difference <= 1e-4 * largest)
        continue;
      std::fprintf(stderr, "%s: %s differs from ours by %g where the largest is %g\n", name.c_str(),
                   candidate.name.c_str(), difference, largest);
      all_equal_ = false;
      return false;
    }
    return true;
  }

  static void print(const std::string& name, double flops, const std::vector<Candidate>& list,
                    const std::vector<std::vector<double>>& seconds, const std::vector<double>& peaks,
                    const std::vector<double>& reads) {
    std::printf("{\"case\": \"%s\", \"flops\": %.9g, \"candidates\": [", name.c_str(), flops);
    for (std::size_t i = 0; i < list.size(); i++) {
      std::printf("%s{\"name\": \"%s\", \"seconds\": ", i ? ", " : "", list[i].name.c_str());
      print_list(seconds[i]);
      std::printf("}");
    }
    std::printf("], \"peaks\": ");
    print_list(peaks);
    std::printf(", \"reads\": ");
    print_list(reads);
    std::printf("}\n");
    std::fflush(stdout);
  }
  static void print_list(const std::vector<double>& values) {
    std::printf("[");
    for (std::size_t i = 0; i < values.size(); i++)
      std::printf("%s%.6g", i ? ", " : "", values[i]);
    std::printf("]");
  }

  // A case of large matrices ends early: seven rounds of seconds say as much as twenty of milliseconds.
  static constexpr int kLeastRounds = 7;
  static constexpr double kMostSeconds = 3;

  const milliner::Table& table_;
  const ComparisonOptions options_;
  milliner::Pool pool_, single_;
  Peers peers_;
  milliner::Workspace workspace_;
  bool all_equal_ = true;
};

} // namespace

bool print_comparisons(const milliner::Table& table, const ComparisonOptions& options) {
  return Comparisons(table, options).print_all();
}

} // namespace bench
