// What all operators share: threads, arithmetic that the compiler turns into vector instructions, random numbers.
#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "paddle/phi/api/all.h"  // paddle/extension.h would ask for the headers of Python too

namespace unimo {

using paddle::Tensor;

// Sums over rows are made in this many parts, whatever the number of threads, so that it never changes a result.
constexpr int64_t kParts = 32;

// Paddle sets OpenMP's own number to 1; the matrix products obey MKL_NUM_THREADS, and so do these operators.
inline int threads() {
  static const int number = [] {
    const char* text = std::getenv("MKL_NUM_THREADS");
    const int wanted = text ? std::atoi(text) : 0;
    cpu_set_t allowed;
    if (wanted > 0 || sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return std::max(wanted, 1);
    return CPU_COUNT(&allowed);
  }();
  return number;
}

// Call work(i) for each i below count, spread over the threads; which thread takes which must not matter. A plain
// parallel region with a counter: Paddle's libiomp5 knows few of the other calls that gcc makes, and a second OpenMP
// library beside it would answer those for threads that are not its own.
template <typename Work>
inline void parallel(int64_t count, const Work& work) {
  const int team = static_cast<int>(std::min<int64_t>(count, threads()));
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(team) if (team > 1)
  for (int64_t i = next++; i < count; i = next++) work(i);
}

// Call work(part, begin, end) for each of kParts even parts of the rows.
template <typename Work>
inline void parallel_rows(int64_t rows, const Work& work) {
  parallel(kParts, [&](int64_t part) { work(part, rows * part / kParts, rows * (part + 1) / kParts); });
}

// Add up the parts' rows, float [kParts, width], into sum, float [width], always in the same order.
inline void add_parts(const std::vector<float>& parts, int64_t width, float* sum) {
  std::memset(sum, 0, width * sizeof(float));
  for (int64_t part = 0; part < kParts; ++part) {
    const float* row = parts.data() + part * width;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) sum[j] += row[j];
  }
}

template <typename To, typename From>
inline To bits(From from) {
  To to;
  static_assert(sizeof(to) == sizeof(from), "of one size");
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

// e^x to 2 units in the last place; 0 below -87, where plain float32 is a denormal or 0. NaN stays NaN.
inline float exponential(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
  const float clipped = x > 88.0f ? 88.0f : (x < -87.0f ? -87.0f : x);
  const float shifted = clipped * 1.44269504f + kRound;
  const float whole = shifted - kRound;
  const float r = (clipped - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float scale = bits<float>(static_cast<int32_t>(bits<uint32_t>(shifted) << 23) + 0x3f800000);
  const float value = (p * r * r + r + 1.0f) * scale;
  return x < -87.0f ? 0.0f : value;
}

// The probability that a standard normal number is below x, to 2e-7 of itself in both tails
// (Numerical Recipes in C, 2nd edition, section 6.2, "erfcc").
inline float normal_below(float x) {
  const float z = std::abs(x) * 0.70710678f;
  const float t = 1.0f / (1.0f + 0.5f * z);
  float p = 0.17087277f;
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  const float tail = 0.5f * t * exponential(p * t - 1.26551223f - z * z);
  return x < 0.0f ? tail : 1.0f - tail;
}

// Turn z into its normalised self; return 1 / deviation. Two passes over a row that lies in the cache: exact.
inline float normalise_row(float* z, int64_t width, float epsilon) {
  float sum = 0.0f, squares = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < width; ++j) sum += z[j];
  const float mean = sum / width;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < width; ++j) squares += (z[j] - mean) * (z[j] - mean);
  const float inverse = 1.0f / std::sqrt(squares / width + epsilon);
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) z[j] = (z[j] - mean) * inverse;
  return inverse;
}

inline uint64_t mixed(uint64_t x) {  // splitmix64's finaliser
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Which numbers of one row dropout keeps: a function of (seed, row, column) alone, so that the backward pass draws
// the same again instead of reading a stored mask.
class Dropout {
 public:
  Dropout(float rate, int64_t seed, int64_t row)
      : Dropout(rate, mixed(mixed(static_cast<uint64_t>(seed)) ^ static_cast<uint64_t>(row))) {}

  // 0 where column j is dropped, 1 / (1 - rate) where it is kept.
  float operator()(uint32_t j) const {
    uint32_t h = j * 0x9e3779b9u + first_;
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = ((h ^ (h >> 15)) + second_) * 0x846ca68bu;
    h = (h ^ (h >> 16)) >> 8;  // 24 bits compare as signed numbers, which vector instructions can
    return static_cast<int32_t>(h) < threshold_ ? 0.0f : scale_;
  }

 private:
  Dropout(float rate, uint64_t key)
      : first_(static_cast<uint32_t>(key)), second_(static_cast<uint32_t>(key >> 32)),
        threshold_(static_cast<int32_t>(rate * 16777216.0f)), scale_(1.0f / (1.0f - rate)) {}

  uint32_t first_, second_;
  int32_t threshold_;
  float scale_;
};

}  // namespace unimo
