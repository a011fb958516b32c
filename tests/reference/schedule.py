"""Both learning-rate schedules as tables of every step, built by walking instead of by a formula."""


def linear_table(peak, warmup, total):
    """Equal increments up to the peak, then equal decrements that would reach 0 at step `total`."""
    rates, rate = [], 0.0 if warmup else peak
    for step in range(total):
        rates.append(rate)
        rate += peak / warmup if step < warmup else -peak / (total - warmup)
    return rates


def release_table(peak, warmup, total):
    """The same way up; after it the line that fell from `peak` since step 0, so the rate jumps at `warmup`."""
    falling = [peak - step * peak / total for step in range(total)]
    rising = [step * peak / warmup for step in range(warmup)]
    return rising + falling[warmup:]
