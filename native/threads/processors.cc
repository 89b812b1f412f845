#include "threads/processors.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace milliner {
namespace {

int affinity() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return std::max(1, CPU_COUNT(&set));
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

// Processors that a cgroup's quota pays for, or 0 where there is no quota.
double quota_of_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0)
    return 0;
  return std::strtod(quota.c_str(), nullptr) / period;
}

double quota_of_v1(const std::string& folder) {
  double quota = 0, period = 0;
  std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
  std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : 0;
}

// The smallest quota on the way from this process's cgroup up to the root; 0 where there is none.
double cgroup_quota() {
  double least = 0;
  const auto take = [&](double quota) {
    if (quota > 0 && (least == 0 || quota < least))
      least = quota;
  };
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos)
      continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && (',' + controllers + ',').find(",cpu,") == std::string::npos)
      continue;
    const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (std::string path = line.substr(second + 1);;) {
      take(v2 ? quota_of_v2(root + path) : quota_of_v1(root + path));
      if (path.empty() || path == "/")
        break;
      path.resize(path.rfind('/'));
    }
  }
  return least;
}

} // namespace

ThreadCount choose_threads(const char* named) {
  const std::string_view text = named ? named : "";
  if (text.empty()) {
    const double quota = cgroup_quota();
    return {quota > 0 ? std::max(1, std::min(affinity(), static_cast<int>(quota))) : affinity(), ""};
  }
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc{} && end == text.data() + text.size() && count >= 1 && count <= 1024)
    return {count, ""};
  return {0, "MILLINER_THREADS is \"" + std::string(text) +
                 "\", and must be a whole number from 1 to 1024. Correct or unset MILLINER_THREADS."};
}

const ThreadCount& chosen_threads() {
  static const ThreadCount choice = choose_threads(std::getenv("MILLINER_THREADS"));
  return choice;
}

} // namespace milliner
