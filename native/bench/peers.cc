#include "bench/peers.h"

#include <cstdlib>
#include <initializer_list>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace bench {
namespace {

// The first of `files` that the system has, or null. Never closed: their threads outlive every call.
void* open_first(std::initializer_list<const char*> files) {
#if defined(__unix__) || defined(__APPLE__)
  for (const char* file : files)
    if (void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL))
      return library;
#endif
  return nullptr;
}

template <class Function> Function find(void* library, const char* symbol) {
#if defined(__unix__) || defined(__APPLE__)
  return reinterpret_cast<Function>(dlsym(library, symbol));
#else
  return nullptr;
#endif
}

class OpenBlas final : public Peer {
public:
  // null where the library is not installed.
  static std::unique_ptr<Peer> open(int threads) {
    void* const library = open_first({"libopenblas.so.0", "libopenblas.so", "libopenblas.dylib"});
    if (!library)
      return nullptr;
    auto peer = std::unique_ptr<OpenBlas>(new OpenBlas);
    peer->sgemm_ = find<Sgemm>(library, "cblas_sgemm");
    peer->sgemv_ = find<Sgemv>(library, "cblas_sgemv");
    const auto set_threads = find<void (*)(int)>(library, "openblas_set_num_threads");
    const auto config = find<const char* (*)()>(library, "openblas_get_config");
    const auto core = find<const char* (*)()>(library, "openblas_get_corename");
    if (!peer->sgemm_ || !peer->sgemv_ || !set_threads || !config || !core)
      return nullptr;
    set_threads(threads);
    // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": the first two words.
    const std::string all = config();
    peer->name_ = all.substr(0, all.find(' ', all.find(' ') + 1)) + " (" + core() + ")";
    return peer;
  }

  std::string name() const override { return name_; }

  void multiply(const Product& p) const noexcept override {
    constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
    const auto m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
    const auto lda = static_cast<int>(p.row_of_a()), ldb = static_cast<int>(p.row_of_b());
    // sgemm takes four times as long for a single row.
    if (m == 1)
      sgemv_(kRowMajor, p.transpose_b ? kNoTrans : kTrans, p.transpose_b ? n : k, p.transpose_b ? k : n, 1,
             p.b, ldb, p.a, 1, 0, p.c, 1);
    else
      sgemm_(kRowMajor, p.transpose_a ? kTrans : kNoTrans, p.transpose_b ? kTrans : kNoTrans, m, n, k, 1, p.a,
             lda, p.b, ldb, 0, p.c, n);
  }

private:
  using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                         float*, int);
  using Sgemv = void (*)(int, int, int, int, float, const float*, int, const float*, int, float, float*, int);

  OpenBlas() = default;

  std::string name_;
  Sgemm sgemm_ = nullptr;
  Sgemv sgemv_ = nullptr;
};

class OneDnn final : public Peer {
public:
  // null where the library is not installed.
  static std::unique_ptr<Peer> open(int threads) {
    void* const library = open_first({"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so", "libdnnl.dylib"});
    if (!library)
      return nullptr;
    auto peer = std::unique_ptr<OneDnn>(new OneDnn);
    peer->sgemm_ = find<Sgemm>(library, "dnnl_sgemm");
    const auto version = find<const Version* (*)()>(library, "dnnl_version");
    if (!peer->sgemm_ || !version)
      return nullptr;
    // Its threads are OpenMP's: the library that it was linked with is in the process now.
    if (void* const openmp = open_first({"libgomp.so.1", "libomp.so.5", "libiomp5.so"}))
      if (const auto set_threads = find<void (*)(int)>(openmp, "omp_set_num_threads"))
        set_threads(threads);
    const Version& v = *version();
    peer->name_ =
        "oneDNN " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
    return peer;
  }

  std::string name() const override { return name_; }

  void multiply(const Product& p) const noexcept override {
    sgemm_(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n, p.k, 1, p.a, p.row_of_a(), p.b,
           p.row_of_b(), 0, p.c, p.n);
  }

private:
  using Sgemm = int (*)(char, char, std::int64_t, std::int64_t, std::int64_t, float, const float*,
                        std::int64_t, const float*, std::int64_t, float, float*, std::int64_t);
  struct Version {
    int major, minor, patch;
  };

  OneDnn() = default;

  std::string name_;
  Sgemm sgemm_ = nullptr;
};

void set_variable(const char* name, const std::string& value) {
#if defined(__unix__) || defined(__APPLE__)
  setenv(name, value.c_str(), 1);
#endif
}

} // namespace

Peers open_peers(int threads) {
  set_variable("OPENBLAS_NUM_THREADS", std::to_string(threads));
  set_variable("OMP_NUM_THREADS", std::to_string(threads));
  // Threads of OpenMP that wait actively would take time from whoever is measured next.
  set_variable("OMP_WAIT_POLICY", "PASSIVE");
  // The same for OpenBLAS's own, which otherwise spin for 2^26 cycles, ten products long: here for 0.3 ms.
  set_variable("OPENBLAS_THREAD_TIMEOUT", "20");
  Peers peers;
  if (auto openblas = OpenBlas::open(threads))
    peers.installed.push_back(std::move(openblas));
  else
    peers.missing.push_back("no OpenBLAS to compare with; on Debian: apt-get install libopenblas0");
  if (auto onednn = OneDnn::open(threads))
    peers.installed.push_back(std::move(onednn));
  else
    peers.missing.push_back("no oneDNN to compare with; on Debian: apt-get install libdnnl2");
  return peers;
}

} // namespace bench
