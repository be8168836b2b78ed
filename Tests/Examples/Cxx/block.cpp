// Builds one transformer block (attention and feed-forward network) operator by operator, runs it on a device, and compares it with plain loops:
//   block [DEVICE]          c++ -std=c++17 block.cpp $(pkg-config --cflags --libs backplane)
#include <backplane.h>

#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

// What C++ makes of the C functions: errors thrown, handles freed.
struct Failure : bp_failure {
  Failure() : bp_failure() { struct_size = sizeof(bp_failure); }
};
static void check(int32_t status, const Failure &failure) {
  if (status < 0) throw std::runtime_error(failure.message);
}
template <class T> struct Handle {
  T value = nullptr;
  ~Handle() { bp_free(value); }
  operator T() const { return value; }
};

static const int heads = 4, width = 8, hidden = heads * width, inner = 80;
using Matrix = std::vector<float>;

struct Block {
  Handle<bp_model> model;
  std::vector<Matrix> weights;
  std::mt19937 random{7};

  Block() {
    Failure f;
    check(bp_model_create(&model.value, &f), f);
  }
  uint32_t weight(const char *name, int rows, int columns) {
    Matrix values(size_t(rows) * columns);
    std::normal_distribution<float> normal(0, 1 / std::sqrt(float(columns)));
    for (float &v : values) v = normal(random);
    const int64_t extents[] = {rows, columns};
    Failure f;
    uint32_t id;
    check(bp_model_constant(model, name, "f32", 2, extents, values.data(), values.size() * 4, nullptr, nullptr, &id, &f), f);
    weights.push_back(values);
    return id;
  }
  uint32_t apply(const char *op, std::initializer_list<uint32_t> inputs, const char *attributes = nullptr) {
    Failure f;
    uint32_t id;
    check(bp_model_apply(model, op, inputs.begin(), uint32_t(inputs.size()), attributes, nullptr, 0, &id, 1, &f), f);
    return id;
  }
};

// The same in plain loops: x is [tokens, hidden].
static Matrix times(const Matrix &a, const Matrix &b, int rows, int depth, int columns) {
  Matrix y(size_t(rows) * columns);
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      double sum = 0;
      for (int k = 0; k < depth; k++) sum += double(a[r * depth + k]) * b[c * depth + k];
      y[r * columns + c] = float(sum);
    }
  return y;
}
static Matrix normed(const Matrix &x, int rows) {
  Matrix y = x;
  for (int r = 0; r < rows; r++) {
    double squares = 0;
    for (int c = 0; c < hidden; c++) squares += double(x[r * hidden + c]) * x[r * hidden + c];
    for (int c = 0; c < hidden; c++) y[r * hidden + c] = float(x[r * hidden + c] / std::sqrt(squares / hidden + 1e-6));
  }
  return y;
}
static Matrix expected(const std::vector<Matrix> &w, const Matrix &x, int tokens) {
  const Matrix h = normed(x, tokens);
  const Matrix q = times(h, w[0], tokens, hidden, hidden), k = times(h, w[1], tokens, hidden, hidden), v = times(h, w[2], tokens, hidden, hidden);
  Matrix mixed(x.size());
  for (int t = 0; t < tokens; t++)
    for (int head = 0; head < heads; head++) {
      std::vector<double> score(t + 1);
      double sum = 0;
      for (int s = 0; s <= t; s++) {
        double dot = 0;
        for (int d = 0; d < width; d++) dot += double(q[t * hidden + head * width + d]) * k[s * hidden + head * width + d];
        sum += score[s] = std::exp(dot / std::sqrt(double(width)));
      }
      for (int d = 0; d < width; d++) {
        double value = 0;
        for (int s = 0; s <= t; s++) value += score[s] / sum * v[s * hidden + head * width + d];
        mixed[t * hidden + head * width + d] = float(value);
      }
    }
  Matrix y = times(mixed, w[3], tokens, hidden, hidden);
  for (size_t i = 0; i < y.size(); i++) y[i] += x[i];
  const Matrix n = normed(y, tokens);
  Matrix gate = times(n, w[4], tokens, hidden, inner);
  const Matrix up = times(n, w[5], tokens, hidden, inner);
  for (size_t i = 0; i < gate.size(); i++) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  const Matrix down = times(gate, w[6], tokens, inner, hidden);
  for (size_t i = 0; i < y.size(); i++) y[i] += down[i];
  return y;
}

static int run(const char *device) {
  Failure f;
  Block b;
  // The graph, for 1 to 64 tokens.
  uint32_t tokens, x;
  check(bp_model_symbol(b.model, "tokens", 1, 64, &tokens, &f), f);
  const int64_t extents[] = {-int64_t(tokens), hidden};
  check(bp_model_input(b.model, "x", "f32", 2, extents, &x, &f), f);
  const std::string split = "{\"shape\": [0, " + std::to_string(heads) + ", " + std::to_string(width) + "]}";
  const std::string join = "{\"shape\": [0, " + std::to_string(hidden) + "]}";
  const uint32_t h = b.apply("rms_norm", {x});
  const uint32_t q = b.apply("reshape", {b.apply("matmul", {h, b.weight("wq", hidden, hidden)})}, split.c_str());
  const uint32_t k = b.apply("reshape", {b.apply("matmul", {h, b.weight("wk", hidden, hidden)})}, split.c_str());
  const uint32_t v = b.apply("reshape", {b.apply("matmul", {h, b.weight("wv", hidden, hidden)})}, split.c_str());
  const uint32_t mixed = b.apply("reshape", {b.apply("attention", {q, k, v}, "{\"causal\": 1}")}, join.c_str());
  const uint32_t middle = b.apply("matmul", {mixed, b.weight("wo", hidden, hidden), BP_NO_TENSOR, x});
  const uint32_t n = b.apply("rms_norm", {middle});
  const uint32_t gate = b.apply("matmul", {n, b.weight("gate", inner, hidden)});
  const uint32_t up = b.apply("matmul", {n, b.weight("up", inner, hidden)});
  const uint32_t y = b.apply("matmul", {b.apply("gated_activation", {gate, up}), b.weight("down", hidden, inner), BP_NO_TENSOR, middle});
  check(bp_model_output(b.model, y, "y", &f), f);

  // Compiled for the device, and nothing else.
  Handle<bp_runtime> runtime;
  Handle<bp_compiled> compiled;
  Handle<bp_session> session;
  check(bp_runtime_create(nullptr, &runtime.value, &f), f);
  bp_compile_options options = bp_compile_options();
  options.struct_size = sizeof options;
  options.devices = device;
  options.fallback = BP_FALLBACK_FORBID;
  check(bp_model_compile(runtime, b.model, &options, &compiled.value, &f), f);
  size_t needed = 0;
  check(bp_compiled_report(compiled, BP_REPORT_PLACEMENT_TEXT, nullptr, 0, &needed, &f), f);
  std::vector<char> report(needed);
  check(bp_compiled_report(compiled, BP_REPORT_PLACEMENT_TEXT, report.data(), needed, &needed, &f), f);
  std::printf("%s", report.data());
  check(bp_session_create(compiled, &session.value, &f), f);

  double worst = 0;
  for (int64_t count : {1, 7, 64}) {
    Matrix input(size_t(count) * hidden), output(input.size());
    for (float &value : input) value = std::normal_distribution<float>()(b.random);
    check(bp_session_bind(session, x, input.data(), input.size() * 4, &f), f);
    check(bp_session_bind(session, y, output.data(), output.size() * 4, &f), f);
    check(bp_session_run(session, &count, 1, nullptr, &f), f);
    const Matrix wanted = expected(b.weights, input, int(count));
    for (size_t i = 0; i < wanted.size(); i++) worst = std::fmax(worst, std::fabs(double(wanted[i]) - output[i]));
  }
  std::printf("largest difference from plain loops: %.1e\n", worst);
  return worst < 1e-3 ? 0 : 1;
}

int main(int argc, char **argv) {
  try {
    return run(argc > 1 ? argv[1] : "cpu");
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
