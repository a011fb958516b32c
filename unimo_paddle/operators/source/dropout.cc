// y = dropout(x), of rows of N numbers; the gradient draws the same again.
// x: float [.., N]; seed: int64 [1].
#include "common.h"

namespace unimo {
namespace {

Tensor drop_rows(const Tensor& x, const Tensor& seed, float rate) {
  const int64_t width = x.shape().back(), rows = width ? x.numel() / width : 0;
  const int64_t key = seed.data<int64_t>()[0];
  Tensor y = paddle::empty_like(x);
  const float* from = x.data<float>();
  float* to = y.data<float>();
  parallel_rows(rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Dropout kept(rate, key, i);
      const float* row = from + i * width;
      float* out = to + i * width;
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) out[j] = row[j] * kept(j);
    }
  });
  return y;
}

}  // namespace

std::vector<Tensor> dropout(const Tensor& x, const Tensor& seed, float rate) { return {drop_rows(x, seed, rate)}; }

std::vector<Tensor> dropout_gradient(const Tensor& seed, const Tensor& dy, float rate) {
  return {drop_rows(dy, seed, rate)};
}

}  // namespace unimo

PD_BUILD_OP(unimo_dropout)
    .Inputs({"X", "Seed"}).Outputs({"Y"}).Attrs({"rate: float"})
    .SetKernelFn(PD_KERNEL(unimo::dropout)).SetInferShapeFn(PD_INFER_SHAPE(unimo::same_shape));
PD_BUILD_GRAD_OP(unimo_dropout)
    .Inputs({"Seed", paddle::Grad("Y")}).Outputs({paddle::Grad("X")}).Attrs({"rate: float"})
    .SetKernelFn(PD_KERNEL(unimo::dropout_gradient));
