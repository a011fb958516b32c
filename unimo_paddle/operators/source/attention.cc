// Attention of all heads, from the three products without their biases to the mixed values:
// softmax((q + bq) / sqrt(D) (k + bk)^T + mask), dropped out, times (v + bv).
// q: float [B, Q, H], the positions that read; k, v: float [B, S, H], those that are read; biases: float [H];
// mask: float [B, 1 or A, Q, S]; seed: int64 [1]; H = A * D.
// One head of one sequence is one task: its tiles stay in the cache, and nothing is transposed in memory.
#include <cmath>
#include <memory>

#include "common.h"

extern "C" void cblas_sgemm(int order, int turn_a, int turn_b, int m, int n, int k, float alpha, const float* a, int lda,
                            const float* b, int ldb, float beta, float* c, int ldc);

namespace unimo {
namespace {

constexpr int kRowMajor = 101, kAsIs = 111, kTurned = 112;

struct Sizes {
  int64_t batch, readers, positions, heads, depth, width, mask_heads;

  Sizes(const Tensor& q, const Tensor& k, const Tensor& mask, int64_t heads)
      : batch(q.shape()[0]), readers(q.shape()[1]), positions(k.shape()[1]), heads(heads),
        depth(q.shape()[2] / heads), width(q.shape()[2]), mask_heads(mask.shape()[1]) {}

  int64_t tasks() const { return batch * heads; }
  int64_t weights() const { return readers * positions; }  // of a head
  int64_t offset(int64_t task, int64_t rows) const {  // of a head's first number in [B, rows, H]
    return task / heads * rows * width + task % heads * depth;
  }
  int64_t plane(int64_t task) const {  // of a head's mask, its first number
    return (mask_heads == 1 ? task / heads : task) * weights();
  }
};

// C = A B, or with one of them turned; rows of c are `ldc` apart.
void multiply(int turn_a, int turn_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
              int64_t ldb, float* c, int64_t ldc) {
  cblas_sgemm(kRowMajor, turn_a, turn_b, m, n, k, 1.0f, a, lda, b, ldb, 0.0f, c, ldc);
}

// One head's share of q, k or v with its bias, [rows, D], close together.
void load_tile(const float* from, const float* bias, float scale, int64_t rows, const Sizes& sizes, float* tile) {
  for (int64_t i = 0; i < rows; ++i) {
#pragma omp simd
    for (int64_t j = 0; j < sizes.depth; ++j) {
      tile[i * sizes.depth + j] = (from[i * sizes.width + j] + bias[j]) * scale;
    }
  }
}

// Softmax of scores + mask, in place.
void softmax_row(float* scores, const float* mask, int64_t width) {
  float most = -INFINITY, sum = 0.0f;
#pragma omp simd reduction(max : most)
  for (int64_t j = 0; j < width; ++j) {
    scores[j] += mask[j];
    most = most < scores[j] ? scores[j] : most;
  }
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < width; ++j) {
    scores[j] = exponential(scores[j] - most);
    sum += scores[j];
  }
  const float inverse = 1.0f / sum;
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) scores[j] *= inverse;
}

// The weights after dropout, [Q, S]; the weights themselves when nothing is dropped.
const float* dropped(const float* weights, float rate, int64_t seed, int64_t task, const Sizes& sizes, float* room) {
  if (rate <= 0) return weights;
  for (int64_t i = 0; i < sizes.readers; ++i) {
    const Dropout kept(rate, seed, task * sizes.readers + i);
    const float* row = weights + i * sizes.positions;
    float* to = room + i * sizes.positions;
#pragma omp simd
    for (int64_t j = 0; j < sizes.positions; ++j) to[j] = row[j] * kept(j);
  }
  return room;
}

// From the gradient of the dropped weights to that of the scores, in place.
void softmax_gradient_row(const float* weights, const Dropout kept, bool drops, float* d, int64_t width) {
  float sum = 0.0f;
  if (drops) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) d[j] *= kept(j);
  }
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < width; ++j) sum += d[j] * weights[j];
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) d[j] = weights[j] * (d[j] - sum);
}

// Scale a head's gradient in [B, rows, H], and sum it over its rows into sums, [D].
void finish_gradient(float* d, float scale, int64_t rows, const Sizes& sizes, float* sums) {
  std::memset(sums, 0, sizes.depth * sizeof(float));
  for (int64_t i = 0; i < rows; ++i) {
#pragma omp simd
    for (int64_t j = 0; j < sizes.depth; ++j) {
      d[i * sizes.width + j] *= scale;
      sums[j] += d[i * sizes.width + j];
    }
  }
}

Tensor add_sequences(const std::vector<float>& sums, const Sizes& sizes, const Tensor& like) {
  Tensor total = paddle::empty_like(like);
  float* to = total.data<float>();
  std::memset(to, 0, sizes.width * sizeof(float));
  for (int64_t b = 0; b < sizes.batch; ++b) {
    for (int64_t j = 0; j < sizes.width; ++j) to[j] += sums[b * sizes.width + j];
  }
  return total;
}

}  // namespace

// Returns the mixed values, float [B, Q, H], and the weights before dropout, float [B, A, Q, S].
std::vector<Tensor> attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bq, const Tensor& bk,
                              const Tensor& bv, const Tensor& mask, const Tensor& seed, int64_t heads, float rate) {
  const Sizes sizes(q, k, mask, heads);
  const int64_t readers = sizes.readers, positions = sizes.positions, depth = sizes.depth;
  const int64_t tile_q = readers * depth, tile = positions * depth, plane = sizes.weights();
  const float scale = 1.0f / std::sqrt(static_cast<float>(depth));
  Tensor mixed = paddle::empty_like(q);
  Tensor weights = paddle::empty({sizes.batch, heads, readers, positions}, q.dtype(), q.place());
  const float *fq = q.data<float>(), *fk = k.data<float>(), *fv = v.data<float>(), *masks = mask.data<float>();
  const float *shift_q = bq.data<float>(), *shift_k = bk.data<float>(), *shift_v = bv.data<float>();
  const int64_t key = seed.data<int64_t>()[0];
  float *to = mixed.data<float>(), *all = weights.data<float>();
  parallel(sizes.tasks(), [&](int64_t task) {
    const std::unique_ptr<float[]> room(new float[tile_q + 2 * tile + (rate > 0 ? plane : 0)]);
    float *tk = room.get(), *tv = tk + tile, *tq = tv + tile;
    const int64_t at = sizes.offset(task, positions), at_q = sizes.offset(task, readers), head = task % heads * depth;
    load_tile(fq + at_q, shift_q + head, scale, readers, sizes, tq);
    load_tile(fk + at, shift_k + head, 1.0f, positions, sizes, tk);
    load_tile(fv + at, shift_v + head, 1.0f, positions, sizes, tv);
    float* own = all + task * plane;
    multiply(kAsIs, kTurned, readers, positions, depth, tq, depth, tk, depth, own, positions);
    const float* hidden = masks + sizes.plane(task);
    for (int64_t i = 0; i < plane; i += positions) softmax_row(own + i, hidden + i, positions);
    const float* used = dropped(own, rate, key, task, sizes, tq + tile_q);
    multiply(kAsIs, kAsIs, readers, depth, positions, used, positions, tv, depth, to + at_q, sizes.width);
  });
  return {mixed, weights};
}

// Returns the gradients of q, k, v and of their biases.
std::vector<Tensor> attention_gradient(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bq,
                                       const Tensor& bk, const Tensor& bv, const Tensor& mask, const Tensor& seed,
                                       const Tensor& weights, const Tensor& dmixed, int64_t heads, float rate) {
  const Sizes sizes(q, k, mask, heads);
  const int64_t readers = sizes.readers, positions = sizes.positions, depth = sizes.depth, width = sizes.width;
  const int64_t tile_q = readers * depth, tile = positions * depth, plane = sizes.weights();
  const float scale = 1.0f / std::sqrt(static_cast<float>(depth));
  Tensor dq = paddle::empty_like(q), dk = paddle::empty_like(k), dv = paddle::empty_like(v);
  std::vector<float> sum_q(sizes.batch * width), sum_k(sum_q), sum_v(sum_q);
  const float *fq = q.data<float>(), *fk = k.data<float>(), *fv = v.data<float>(), *given = dmixed.data<float>();
  const float *shift_q = bq.data<float>(), *shift_k = bk.data<float>(), *shift_v = bv.data<float>();
  const float* all = weights.data<float>();
  const int64_t key = seed.data<int64_t>()[0];
  float *to_q = dq.data<float>(), *to_k = dk.data<float>(), *to_v = dv.data<float>();
  parallel(sizes.tasks(), [&](int64_t task) {
    const std::unique_ptr<float[]> room(new float[tile_q + 2 * tile + (rate > 0 ? 2 : 1) * plane]);
    float *tk = room.get(), *tv = tk + tile, *tq = tv + tile, *d = tq + tile_q;
    const int64_t at = sizes.offset(task, positions), at_q = sizes.offset(task, readers), head = task % heads * depth;
    const int64_t sums = task / heads * width + head;
    load_tile(fq + at_q, shift_q + head, scale, readers, sizes, tq);
    load_tile(fk + at, shift_k + head, 1.0f, positions, sizes, tk);
    load_tile(fv + at, shift_v + head, 1.0f, positions, sizes, tv);
    const float* own = all + task * plane;
    const float* used = dropped(own, rate, key, task, sizes, d + plane);
    multiply(kTurned, kAsIs, positions, depth, readers, used, positions, given + at_q, width, to_v + at, width);
    multiply(kAsIs, kTurned, readers, positions, depth, given + at_q, width, tv, depth, d, positions);
    for (int64_t i = 0; i < readers; ++i) {
      const Dropout kept(rate, key, task * readers + i);
      softmax_gradient_row(own + i * positions, kept, rate > 0, d + i * positions, positions);
    }
    multiply(kAsIs, kAsIs, readers, depth, positions, d, positions, tk, depth, to_q + at_q, width);
    multiply(kTurned, kAsIs, positions, depth, readers, d, positions, tq, depth, to_k + at, width);
    finish_gradient(to_q + at_q, scale, readers, sizes, sum_q.data() + sums);
    finish_gradient(to_k + at, 1.0f, positions, sizes, sum_k.data() + sums);
    finish_gradient(to_v + at, 1.0f, positions, sizes, sum_v.data() + sums);
  });
  return {dq, dk, dv, add_sequences(sum_q, sizes, bq), add_sequences(sum_k, sizes, bk), add_sequences(sum_v, sizes, bv)};
}

using Shape = std::vector<int64_t>;
std::vector<Shape> attention_shapes(const Shape& q, const Shape& k, const Shape&, const Shape&, const Shape&, const Shape&,
                                    const Shape&, const Shape&, const int64_t& heads, const float&) {
  return {q, {q[0], heads, q[1], k[1]}};
}

}  // namespace unimo

PD_BUILD_OP(unimo_attention)
    .Inputs({"Q", "K", "V", "BiasQ", "BiasK", "BiasV", "Mask", "Seed"}).Outputs({"Mixed", "Weights"})
    .Attrs({"heads: int64_t", "rate: float"})
    .SetKernelFn(PD_KERNEL(unimo::attention)).SetInferShapeFn(PD_INFER_SHAPE(unimo::attention_shapes));
PD_BUILD_GRAD_OP(unimo_attention)
    .Inputs({"Q", "K", "V", "BiasQ", "BiasK", "BiasV", "Mask", "Seed", "Weights", paddle::Grad("Mixed")})
    .Outputs({paddle::Grad("Q"), paddle::Grad("K"), paddle::Grad("V"), paddle::Grad("BiasQ"), paddle::Grad("BiasK"),
              paddle::Grad("BiasV")})
    .Attrs({"heads: int64_t", "rate: float"})
    .SetKernelFn(PD_KERNEL(unimo::attention_gradient));
