"""Adam with decoupled weight decay in float64, line by line from spec/release.md section 9."""

import numpy as np


class SlowAdam:
    def __init__(self, parameters, decayed, weight_decay, beta1, beta2, epsilon, clip_norm):
        self.parameters = {name: np.array(p, np.float64) for name, p in parameters.items()}
        self.first = {name: np.zeros_like(p) for name, p in self.parameters.items()}
        self.second = {name: np.zeros_like(p) for name, p in self.parameters.items()}
        self.decayed, self.weight_decay = decayed, weight_decay
        self.beta1, self.beta2, self.epsilon, self.clip_norm = beta1, beta2, epsilon, clip_norm
        self.steps = 0

    def step(self, gradients, lr):
        """Return the norm of all gradients as one vector, before clipping."""
        self.steps += 1
        norm = np.sqrt(sum(np.sum(np.square(np.float64(g))) for g in gradients.values()))
        scale = self.clip_norm / norm if norm > self.clip_norm else 1.0
        for name, gradient in gradients.items():
            g = np.float64(gradient) * scale
            self.first[name] = self.beta1 * self.first[name] + (1 - self.beta1) * g
            self.second[name] = self.beta2 * self.second[name] + (1 - self.beta2) * g * g
            m = self.first[name] / (1 - self.beta1**self.steps)
            v = self.second[name] / (1 - self.beta2**self.steps)
            old = self.parameters[name]
            new = old - lr * m / (np.sqrt(v) + self.epsilon)
            if name in self.decayed:
                new = new - old * self.weight_decay * lr  # the value from BEFORE the Adam step
            self.parameters[name] = new
        return norm
