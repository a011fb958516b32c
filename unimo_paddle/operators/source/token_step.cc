// One token of each of N texts through all layers and the language head, in one call.
//
// With few rows, a product reads each weight once and does little with it: what counts is that memory is read in order.
// So weights are packed into panels of 16 columns, [panels, K, 16], the columns of one row side by side, and six rows
// at a time are multiplied with a panel while it lies in the cache.
//
// A layer's matrices: query|key|value [H, 3H] with the query scaled, output, feed-forward in and out; its vectors: a bias
// of each, the weight and bias of both LayerNorms. The head's: transform, word table; bias, LayerNorm's two, bias.
// keys, values: float [B, A, S, D] of the sources, hidden: float [B, S], added to their scores; kept: float [C, 2H],
// the keys and values of the texts' tokens by slot, those of this token are written; source: int64 [N], ascending;
// slots: int64 [N, t], of each text's tokens, this one's last.
#include <cmath>

#include "common.h"

namespace unimo {
namespace {

constexpr int64_t kPanel = 16, kTile = 6;  // columns, rows: 12 sums of 8 numbers fit AVX2's 16 registers
constexpr int kMatrices = 4, kVectors = 8;

typedef float Lane __attribute__((vector_size(32), aligned(4), may_alias));

// to[i] = x[i] times a panel, for M rows; x: [M, K].
template <int M>
void multiply_tile(const float* x, int64_t depth, const float* panel, float (*to)[kPanel]) {
  Lane low[M] = {}, high[M] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const Lane first = *reinterpret_cast<const Lane*>(panel + k * kPanel);
    const Lane second = *reinterpret_cast<const Lane*>(panel + k * kPanel + 8);
#pragma GCC unroll 6
    for (int i = 0; i < M; ++i) {
      const float one = x[i * depth + k];
      low[i] += one * first;
      high[i] += one * second;
    }
  }
  for (int i = 0; i < M; ++i) {
    *reinterpret_cast<Lane*>(to[i]) = low[i];
    *reinterpret_cast<Lane*>(to[i] + 8) = high[i];
  }
}

void multiply_rows(int64_t rows, const float* x, int64_t depth, const float* panel, float (*to)[kPanel]) {
  switch (rows) {
    case 1: return multiply_tile<1>(x, depth, panel, to);
    case 2: return multiply_tile<2>(x, depth, panel, to);
    case 3: return multiply_tile<3>(x, depth, panel, to);
    case 4: return multiply_tile<4>(x, depth, panel, to);
    case 5: return multiply_tile<5>(x, depth, panel, to);
    default: return multiply_tile<6>(x, depth, panel, to);
  }
}

// to = sums + bias, or GELU of it.
void finish_row(const float* sums, const float* bias, int64_t count, bool bends, float* to) {
  for (int64_t j = 0; j < count; ++j) to[j] = sums[j] + bias[j];
  if (!bends) return;
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) to[j] *= normal_below(to[j]);
}

// y = x W + bias, or GELU of it; x: [rows, K], y: [rows, N], N the bias's length.
void product(const float* x, int64_t rows, const Tensor& packed, const Tensor& bias, bool bends, float* y) {
  const int64_t depth = packed.shape()[1], columns = bias.numel();
  const float *panels = packed.data<float>(), *shift = bias.data<float>();
  parallel(packed.shape()[0], [&](int64_t number) {
    const int64_t begin = number * kPanel, count = std::min(kPanel, columns - begin);
    for (int64_t i = 0; i < rows; i += kTile) {
      const int64_t some = std::min(kTile, rows - i);
      float sums[kTile][kPanel];
      multiply_rows(some, x + i * depth, depth, panels + number * depth * kPanel, sums);
      for (int64_t r = 0; r < some; ++r) {
        finish_row(sums[r], shift + begin, count, bends, y + (i + r) * columns + begin);
      }
    }
  });
}

// x = LayerNorm(x + more), more may be null; x, more: [rows, H].
void normalise(float* x, const float* more, int64_t rows, const Tensor& weight, const Tensor& bias, float epsilon) {
  const int64_t width = weight.numel();
  const float *gamma = weight.data<float>(), *beta = bias.data<float>();
  parallel_rows(rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* z = x + i * width;
      if (more) {
#pragma omp simd
        for (int64_t j = 0; j < width; ++j) z[j] += more[i * width + j];
      }
      normalise_row(z, width, epsilon);
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) z[j] = z[j] * gamma[j] + beta[j];
    }
  });
}

float dot(const float* a, const float* b, int64_t depth) {
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < depth; ++j) sum += a[j] * b[j];
  return sum;
}

void add_scaled(float* to, const float* from, float scale, int64_t depth) {
#pragma omp simd
  for (int64_t j = 0; j < depth; ++j) to[j] += scale * from[j];
}

// Exponentials of scores less their greatest, in place; returns 1 / their sum.
float exponentials(float* scores, int64_t count) {
  float most = -INFINITY, sum = 0.0f;
#pragma omp simd reduction(max : most)
  for (int64_t j = 0; j < count; ++j) most = most < scores[j] ? scores[j] : most;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) {
    scores[j] = exponential(scores[j] - most);
    sum += scores[j];
  }
  return 1.0f / sum;
}

// What all layers share.
struct Step {
  int64_t rows, width, heads, depth, positions, tokens;
  const float* hidden;
  const int64_t *source, *slots;
  std::vector<int64_t> runs;  // where the rows of a source begin, and the end

  Step(const Tensor& x, const Tensor& bias, const Tensor& of, const Tensor& at, int64_t heads)
      : rows(x.shape()[0]), width(x.shape()[1]), heads(heads), depth(width / heads), positions(bias.shape()[1]),
        tokens(at.shape()[1]), hidden(bias.data<float>()), source(of.data<int64_t>()), slots(at.data<int64_t>()) {
    for (int64_t i = 0; i < rows; ++i) {
      if (i == 0 || source[i] != source[i - 1]) runs.push_back(i);
    }
    runs.push_back(rows);
  }

  int64_t slot(int64_t row, int64_t token) const { return slots[row * tokens + token]; }
};

// Let one head of one row read its source and its own tokens. keys, values: of the source, [S, D]; kept: of the head.
void read(const Step& step, int64_t row, const float* query, const float* keys, const float* values, const float* kept,
          float* scores, float* to) {
  const int64_t depth = step.depth, positions = step.positions;
  const float* bias = step.hidden + step.source[row] * positions;
  for (int64_t j = 0; j < positions; ++j) scores[j] = dot(query, keys + j * depth, depth) + bias[j];
  float* own = scores + positions;
  for (int64_t t = 0; t < step.tokens; ++t) own[t] = dot(query, kept + step.slot(row, t) * 2 * step.width, depth);
  const float inverse = exponentials(scores, positions + step.tokens);
  std::memset(to, 0, depth * sizeof(float));
  for (int64_t j = 0; j < positions; ++j) add_scaled(to, values + j * depth, scores[j] * inverse, depth);
  for (int64_t t = 0; t < step.tokens; ++t) {
    add_scaled(to, kept + step.slot(row, t) * 2 * step.width + step.width, own[t] * inverse, depth);
  }
}

// mixed: [N, H] of qkv: [N, 3H]; a head of a source's rows is one task: the source's keys stay in the cache.
void attend(const Step& step, const float* qkv, const Tensor& keys, const Tensor& values, float* kept, float* mixed) {
  const int64_t width = step.width, tile = step.positions * step.depth;
  for (int64_t i = 0; i < step.rows; ++i) {
    std::memcpy(kept + step.slot(i, step.tokens - 1) * 2 * width, qkv + i * 3 * width + width, 2 * width * sizeof(float));
  }
  const float *k = keys.data<float>(), *v = values.data<float>();
  parallel((step.runs.size() - 1) * step.heads, [&](int64_t task) {
    const int64_t run = task / step.heads, head = task % step.heads, at = head * step.depth;
    const int64_t plane = (step.source[step.runs[run]] * step.heads + head) * tile;
    std::vector<float> scores(step.positions + step.tokens);
    for (int64_t i = step.runs[run]; i < step.runs[run + 1]; ++i) {
      read(step, i, qkv + i * 3 * width + at, k + plane, v + plane, kept + at, scores.data(), mixed + i * width + at);
    }
  });
}

}  // namespace

// Returns the panels, float [ceil(N / 16), K, 16], of weight: float [K, N], or [N, K] when it is turned.
std::vector<Tensor> pack(const Tensor& weight, bool turned) {
  const int64_t depth = weight.shape()[turned], columns = weight.shape()[!turned];
  const int64_t panels = (columns + kPanel - 1) / kPanel;
  Tensor packed = paddle::empty({panels, depth, kPanel}, weight.dtype(), weight.place());
  const float* from = weight.data<float>();
  float* to = packed.data<float>();
  parallel(panels, [&](int64_t number) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t j = 0; j < kPanel; ++j) {
        const int64_t column = number * kPanel + j;
        const float one = column >= columns ? 0.0f : turned ? from[column * depth + k] : from[k * columns + column];
        to[(number * depth + k) * kPanel + j] = one;
      }
    }
  });
  return {packed};
}

// Returns the logits, float [N, V], of x: float [N, H].
std::vector<Tensor> token_step(const Tensor& x, const std::vector<Tensor>& matrices, const std::vector<Tensor>& vectors,
                               const std::vector<Tensor>& keys, const std::vector<Tensor>& values, const Tensor& hidden,
                               const Tensor& source, const Tensor& slots, std::vector<Tensor>& kept, int64_t heads,
                               float epsilon) {
  const Step step(x, hidden, source, slots, heads);
  const int64_t rows = step.rows, width = step.width, inner = 4 * width;
  std::vector<float> state(x.data<float>(), x.data<float>() + rows * width), wide(rows * inner), mixed(rows * width);
  float *s = state.data(), *w = wide.data(), *m = mixed.data();
  for (size_t layer = 0; layer < keys.size(); ++layer) {
    const Tensor *matrix = &matrices[layer * kMatrices], *vector = &vectors[layer * kVectors];
    product(s, rows, matrix[0], vector[0], false, w);
    attend(step, w, keys[layer], values[layer], kept[layer].data<float>(), m);
    product(m, rows, matrix[1], vector[1], false, w);
    normalise(s, w, rows, vector[4], vector[5], epsilon);
    product(s, rows, matrix[2], vector[2], true, w);
    product(w, rows, matrix[3], vector[3], false, m);
    normalise(s, m, rows, vector[6], vector[7], epsilon);
  }
  const Tensor *matrix = &matrices[keys.size() * kMatrices], *vector = &vectors[keys.size() * kVectors];
  product(s, rows, matrix[0], vector[0], true, m);
  normalise(m, nullptr, rows, vector[1], vector[2], epsilon);
  Tensor logits = paddle::empty({rows, vector[3].numel()}, x.dtype(), x.place());
  product(m, rows, matrix[1], vector[3], false, logits.data<float>());
  return {logits};
}

}  // namespace unimo

PD_BUILD_OP(unimo_pack)
    .Inputs({"Weight"}).Outputs({"Packed"}).Attrs({"turned: bool"}).SetKernelFn(PD_KERNEL(unimo::pack));
PD_BUILD_OP(unimo_token_step)
    .Inputs({"X", paddle::Vec("Matrices"), paddle::Vec("Vectors"), paddle::Vec("Keys"), paddle::Vec("Values"), "Hidden",
             "Source", "Slots", paddle::Vec("Kept")})
    .Outputs({"Logits", paddle::Vec("KeptNew")})
    .Attrs({"heads: int64_t", "epsilon: float"})
    .SetInplaceMap({{paddle::Vec("Kept"), paddle::Vec("KeptNew")}})
    .SetKernelFn(PD_KERNEL(unimo::token_step));
