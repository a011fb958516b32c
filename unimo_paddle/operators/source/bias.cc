// y = x + bias and y = GELU(x + bias): x float [.., N], bias float [N]. The gradient of the bias is where time goes in
// Paddle: it sums over rows with one thread.
#include "common.h"

namespace unimo {
namespace {

// Let row_of(x, bias, given, result, column sums, N) make a row of dx from a row of dy, and sum dx over the rows.
template <typename Row>
std::vector<Tensor> gradients(const Tensor& x, const Tensor& bias, const Tensor& dy, const Row& make_row) {
  const int64_t width = bias.numel(), rows = x.numel() / width;
  Tensor dx = paddle::empty_like(x), dbias = paddle::empty_like(bias);
  std::vector<float> parts(kParts * width, 0.0f);
  const float *from = x.data<float>(), *shift = bias.data<float>(), *given = dy.data<float>();
  float* to = dx.data<float>();
  parallel_rows(rows, [&](int64_t part, int64_t begin, int64_t end) {
    float* sums = parts.data() + part * width;
    for (int64_t i = begin; i < end; ++i) {
      make_row(from + i * width, shift, given + i * width, to + i * width, sums, width);
    }
  });
  add_parts(parts, width, dbias.data<float>());
  return {dx, dbias};
}

template <typename Row>
std::vector<Tensor> forward(const Tensor& x, const Tensor& bias, const Row& make_row) {
  const int64_t width = bias.numel(), rows = x.numel() / width;
  Tensor y = paddle::empty_like(x);
  const float *from = x.data<float>(), *shift = bias.data<float>();
  float* to = y.data<float>();
  parallel_rows(rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) make_row(from + i * width, shift, to + i * width, width);
  });
  return {y};
}

void gelu_row(const float* x, const float* bias, float* y, int64_t width) {
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) {
    const float u = x[j] + bias[j];
    y[j] = u * normal_below(u);
  }
}

void gelu_gradient_row(const float* x, const float* bias, const float* dy, float* dx, float* sums, int64_t width) {
  constexpr float kDensity = 0.39894228f;  // 1 / sqrt(2 pi)
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) {
    const float u = x[j] + bias[j];
    const float slope = normal_below(u) + u * kDensity * exponential(-0.5f * u * u);
    dx[j] = dy[j] * slope;
    sums[j] += dx[j];
  }
}

void add_row(const float* x, const float* bias, float* y, int64_t width) {
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) y[j] = x[j] + bias[j];
}

}  // namespace

std::vector<Tensor> bias_gelu(const Tensor& x, const Tensor& bias) { return forward(x, bias, gelu_row); }

std::vector<Tensor> bias_gelu_gradient(const Tensor& x, const Tensor& bias, const Tensor& dy) {
  return gradients(x, bias, dy, gelu_gradient_row);
}

std::vector<Tensor> add_bias(const Tensor& x, const Tensor& bias) { return forward(x, bias, add_row); }

// dx is dy itself; only the sum over the rows is work, and columns are split, for there are many and few rows.
std::vector<Tensor> add_bias_gradient(const Tensor& bias, const Tensor& dy) {
  constexpr int64_t kColumns = 1024;
  const int64_t width = bias.numel(), rows = dy.numel() / width;
  Tensor dbias = paddle::empty_like(bias);
  const float* given = dy.data<float>();
  float* sum = dbias.data<float>();
  parallel((width + kColumns - 1) / kColumns, [&](int64_t block) {
    const int64_t begin = block * kColumns, end = std::min(width, begin + kColumns);
    std::memset(sum + begin, 0, (end - begin) * sizeof(float));
    for (int64_t i = 0; i < rows; ++i) {
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) sum[j] += given[i * width + j];
    }
  });
  return {dy, dbias};
}

std::vector<std::vector<int64_t>> same_shape(const std::vector<int64_t>& x, const std::vector<int64_t>&) { return {x}; }

}  // namespace unimo

PD_BUILD_OP(unimo_bias_gelu)
    .Inputs({"X", "Bias"}).Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(unimo::bias_gelu)).SetInferShapeFn(PD_INFER_SHAPE(unimo::same_shape));
PD_BUILD_GRAD_OP(unimo_bias_gelu)
    .Inputs({"X", "Bias", paddle::Grad("Y")}).Outputs({paddle::Grad("X"), paddle::Grad("Bias")})
    .SetKernelFn(PD_KERNEL(unimo::bias_gelu_gradient));
PD_BUILD_OP(unimo_add_bias)
    .Inputs({"X", "Bias"}).Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(unimo::add_bias)).SetInferShapeFn(PD_INFER_SHAPE(unimo::same_shape));
PD_BUILD_GRAD_OP(unimo_add_bias)
    .Inputs({"Bias", paddle::Grad("Y")}).Outputs({paddle::Grad("X"), paddle::Grad("Bias")})
    .SetKernelFn(PD_KERNEL(unimo::add_bias_gradient));
