// Adam with decoupled decay over all parameters in one pass, and the length of all gradients together.
#include <cmath>

#include "common.h"

namespace unimo {
namespace {

constexpr int64_t kBlock = 1 << 16;  // numbers of one task: four arrays of them fit the second cache

struct Block {
  int64_t tensor, begin, end;
};

std::vector<Block> cut(const std::vector<Tensor>& tensors) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    for (int64_t at = 0; at < tensors[i].numel(); at += kBlock) {
      blocks.push_back({static_cast<int64_t>(i), at, std::min(tensors[i].numel(), at + kBlock)});
    }
  }
  return blocks;
}

std::vector<float*> places(std::vector<Tensor>& tensors) {
  std::vector<float*> found;
  for (auto& tensor : tensors) found.push_back(tensor.data<float>());
  return found;
}

}  // namespace

// Change parameters, both moments and the running products of the betas (float [1] of each parameter) in place.
// kept: what each parameter is multiplied by first, 1 - rate * decay; factor: of the gradients, for clipping.
void adamw(std::vector<Tensor>& parameters, const std::vector<Tensor>& gradients, std::vector<Tensor>& means,
           std::vector<Tensor>& squares, std::vector<Tensor>& powers1, std::vector<Tensor>& powers2,
           const std::vector<float>& kept, float rate, float beta1, float beta2, float epsilon, float factor) {
  const std::vector<Block> blocks = cut(parameters);
  const std::vector<float*> ps = places(parameters), ms = places(means), vs = places(squares);
  std::vector<const float*> gs;
  std::vector<float> rates, epsilons;
  for (size_t i = 0; i < parameters.size(); ++i) {
    float *power1 = powers1[i].data<float>(), *power2 = powers2[i].data<float>();
    const float correction = std::sqrt(1.0f - *power2);
    gs.push_back(gradients[i].data<float>());
    rates.push_back(rate * correction / (1.0f - *power1));
    epsilons.push_back(epsilon * correction);
    *power1 *= beta1;
    *power2 *= beta2;
  }
  const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
  parallel(blocks.size(), [&](int64_t number) {
    const Block& block = blocks[number];
    float *p = ps[block.tensor], *m = ms[block.tensor], *v = vs[block.tensor];
    const float *g = gs[block.tensor], own_rate = rates[block.tensor], keep = kept[block.tensor];
    const float own_epsilon = epsilons[block.tensor];
#pragma omp simd
    for (int64_t j = block.begin; j < block.end; ++j) {
      const float d = g[j] * factor;
      m[j] = beta1 * m[j] + rest1 * d;
      v[j] = beta2 * v[j] + rest2 * d * d;
      p[j] = p[j] * keep - own_rate * (m[j] / (std::sqrt(v[j]) + own_epsilon));
    }
  });
}

// Returns float64 [1]: the sum of the squares of all numbers, always added in the same order.
std::vector<Tensor> sum_of_squares(const std::vector<Tensor>& tensors) {
  const std::vector<Block> blocks = cut(tensors);
  std::vector<double> sums(blocks.size());
  std::vector<const float*> from;
  for (const auto& tensor : tensors) from.push_back(tensor.data<float>());
  parallel(blocks.size(), [&](int64_t number) {
    const Block& block = blocks[number];
    const float* x = from[block.tensor];
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = block.begin; j < block.end; ++j) sum += static_cast<double>(x[j]) * x[j];
    sums[number] = sum;
  });
  Tensor total = paddle::empty({1}, paddle::DataType::FLOAT64, paddle::CPUPlace());
  double sum = 0.0;
  for (double one : sums) sum += one;
  total.data<double>()[0] = sum;
  return {total};
}

}  // namespace unimo

PD_BUILD_OP(unimo_adamw)
    .Inputs({paddle::Vec("P"), paddle::Vec("G"), paddle::Vec("M"), paddle::Vec("V"), paddle::Vec("Power1"),
             paddle::Vec("Power2")})
    .Outputs({paddle::Vec("PNew"), paddle::Vec("MNew"), paddle::Vec("VNew"), paddle::Vec("Power1New"),
              paddle::Vec("Power2New")})
    .Attrs({"kept: std::vector<float>", "rate: float", "beta1: float", "beta2: float", "epsilon: float",
            "factor: float"})
    .SetInplaceMap({{paddle::Vec("P"), paddle::Vec("PNew")},
                    {paddle::Vec("M"), paddle::Vec("MNew")},
                    {paddle::Vec("V"), paddle::Vec("VNew")},
                    {paddle::Vec("Power1"), paddle::Vec("Power1New")},
                    {paddle::Vec("Power2"), paddle::Vec("Power2New")}})
    .SetKernelFn(PD_KERNEL(unimo::adamw));
PD_BUILD_OP(unimo_sum_of_squares)
    .Inputs({paddle::Vec("X")}).Outputs({"Sum"}).SetKernelFn(PD_KERNEL(unimo::sum_of_squares));
