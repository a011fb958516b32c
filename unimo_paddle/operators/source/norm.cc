// y = LayerNorm(residual + dropout(x + bias)), the end of each half of a post-LayerNorm Transformer layer.
// x, residual: float [.., N]; bias, gamma, beta: float [N]; seed: int64 [1], read when rate > 0.
#include <cmath>

#include "common.h"

namespace unimo {
namespace {

// z = residual + dropout(x + bias)
void join_row(const float* x, const float* bias, const float* residual, const Dropout& kept, bool drops, float* z,
              int64_t width) {
  if (drops) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) z[j] = residual[j] + (x[j] + bias[j]) * kept(j);
  } else {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) z[j] = residual[j] + (x[j] + bias[j]);
  }
}

// dz = inverse * (d - mean(d) - n * mean(d * n)) with d = dy * gamma and n the normalised row.
void normalise_gradient_row(const float* dy, const float* normal, const float* gamma, float inverse, float* dz,
                            int64_t width) {
  float sum = 0.0f, product = 0.0f;
#pragma omp simd reduction(+ : sum, product)
  for (int64_t j = 0; j < width; ++j) {
    sum += dy[j] * gamma[j];
    product += dy[j] * gamma[j] * normal[j];
  }
  sum /= width;
  product /= width;
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) dz[j] = inverse * (dy[j] * gamma[j] - sum - normal[j] * product);
}

}  // namespace

// Returns y, and for the backward pass the normalised rows and each row's 1 / deviation.
std::vector<Tensor> residual_norm(const Tensor& x, const Tensor& bias, const Tensor& residual, const Tensor& gamma,
                                  const Tensor& beta, const Tensor& seed, float rate, float epsilon) {
  const int64_t width = bias.numel(), rows = x.numel() / width;
  Tensor y = paddle::empty_like(x), normal = paddle::empty_like(x);
  Tensor inverses = paddle::empty({rows}, x.dtype(), x.place());
  const float *from = x.data<float>(), *shift = bias.data<float>(), *rest = residual.data<float>();
  const float *weight = gamma.data<float>(), *start = beta.data<float>();
  const int64_t key = seed.data<int64_t>()[0];
  float *to = y.data<float>(), *kept = normal.data<float>(), *inverse = inverses.data<float>();
  parallel_rows(rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float *z = kept + i * width, *out = to + i * width;
      join_row(from + i * width, shift, rest + i * width, Dropout(rate, key, i), rate > 0, z, width);
      inverse[i] = normalise_row(z, width, epsilon);
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) out[j] = z[j] * weight[j] + start[j];
    }
  });
  return {y, normal, inverses};
}

// Returns the gradients of x, bias, residual, gamma, beta.
std::vector<Tensor> residual_norm_gradient(const Tensor& bias, const Tensor& gamma, const Tensor& seed,
                                           const Tensor& normal, const Tensor& inverses, const Tensor& dy, float rate,
                                           float epsilon) {
  const int64_t width = bias.numel(), rows = inverses.numel();
  Tensor dx = paddle::empty_like(dy), dresidual = paddle::empty_like(dy);
  Tensor dbias = paddle::empty_like(bias), dgamma = paddle::empty_like(bias), dbeta = paddle::empty_like(bias);
  std::vector<float> biases(kParts * width, 0.0f), gammas(kParts * width, 0.0f), betas(kParts * width, 0.0f);
  const float *given = dy.data<float>(), *rowed = normal.data<float>(), *weight = gamma.data<float>();
  const float* inverse = inverses.data<float>();
  const int64_t key = seed.data<int64_t>()[0];
  float *to = dx.data<float>(), *rest = dresidual.data<float>();
  parallel_rows(rows, [&](int64_t part, int64_t begin, int64_t end) {
    float *of_bias = biases.data() + part * width, *of_gamma = gammas.data() + part * width;
    float* of_beta = betas.data() + part * width;
    for (int64_t i = begin; i < end; ++i) {
      const float *d = given + i * width, *n = rowed + i * width;
      float *dz = rest + i * width, *out = to + i * width;
      normalise_gradient_row(d, n, weight, inverse[i], dz, width);
      const Dropout kept(rate, key, i);
      if (rate > 0) {
#pragma omp simd
        for (int64_t j = 0; j < width; ++j) out[j] = dz[j] * kept(j);
      } else {
        std::memcpy(out, dz, width * sizeof(float));
      }
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) {
        of_bias[j] += out[j];
        of_gamma[j] += d[j] * n[j];
        of_beta[j] += d[j];
      }
    }
  });
  add_parts(biases, width, dbias.data<float>());
  add_parts(gammas, width, dgamma.data<float>());
  add_parts(betas, width, dbeta.data<float>());
  return {dx, dbias, dresidual, dgamma, dbeta};
}

std::vector<std::vector<int64_t>> residual_norm_shapes(
    const std::vector<int64_t>& x, const std::vector<int64_t>&, const std::vector<int64_t>&,
    const std::vector<int64_t>&, const std::vector<int64_t>&, const std::vector<int64_t>&) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < x.size(); ++i) rows *= x[i];
  return {x, x, {rows}};
}

}  // namespace unimo

PD_BUILD_OP(unimo_residual_norm)
    .Inputs({"X", "Bias", "Residual", "Gamma", "Beta", "Seed"}).Outputs({"Y", "Normal", "Inverses"})
    .Attrs({"rate: float", "epsilon: float"})
    .SetKernelFn(PD_KERNEL(unimo::residual_norm)).SetInferShapeFn(PD_INFER_SHAPE(unimo::residual_norm_shapes));
PD_BUILD_GRAD_OP(unimo_residual_norm)
    .Inputs({"Bias", "Gamma", "Seed", "Normal", "Inverses", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Bias"), paddle::Grad("Residual"), paddle::Grad("Gamma"),
              paddle::Grad("Beta")})
    .Attrs({"rate: float", "epsilon: float"})
    .SetKernelFn(PD_KERNEL(unimo::residual_norm_gradient));
