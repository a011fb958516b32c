"""bottom-up-attention's network, layer by layer in numpy, from detectron2's names; one picture, plain loops.

Written from test.prototxt, lib/rpn/generate_anchors.py, lib/rpn/proposal_layer.py and lib/fast_rcnn/bbox_transform.py.
"""

from __future__ import annotations

import numpy as np


def convolve(x, kernel, stride=1, pad=0, dilation=1, bias=None):
    """x [C, H, W], kernel [O, C, k, k] -> [O, H', W']."""
    size = kernel.shape[-1]
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    reach = dilation * (size - 1) + 1
    height, width = ((side - reach) // stride + 1 for side in x.shape[1:])
    out = np.zeros((len(kernel), height * width), np.float32)
    for i in range(size):
        for j in range(size):
            top, left = i * dilation, j * dilation
            part = x[:, top : top + stride * (height - 1) + 1 : stride, left : left + stride * (width - 1) + 1 : stride]
            out += kernel[:, :, i, j] @ part.reshape(len(x), -1)
    out = out.reshape(len(kernel), height, width)
    return out if bias is None else out + bias[:, None, None]


def layer(arrays, name, x, **how):
    """Convolution, Caffe's BatchNorm with stored statistics and Scale."""
    x = convolve(x, arrays[f"{name}.weight"], **how)
    parts = (arrays[f"{name}.norm.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
    scale, shift, mean, variance = (part[:, None, None] for part in parts)
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift


def rectify(x):
    return np.maximum(x, 0)


def block(arrays, root, x, stride, dilation):
    """A bottleneck whose stride is in its first 1 x 1 convolution."""
    y = rectify(layer(arrays, f"{root}.conv1", x, stride=stride))
    y = rectify(layer(arrays, f"{root}.conv2", y, pad=dilation, dilation=dilation))
    y = layer(arrays, f"{root}.conv3", y)
    has_shortcut = f"{root}.shortcut.weight" in arrays
    return rectify(y + (layer(arrays, f"{root}.shortcut", x, stride=stride) if has_shortcut else x))


def stage(arrays, root, x, stride, dilation=1):
    number = 0
    while f"{root}.{number}.conv1.weight" in arrays:
        x = block(arrays, f"{root}.{number}", x, stride if number == 0 else 1, dilation)
        number += 1
    return x


def pool_over_the_edge(x):
    """3 x 3 maximum, stride 2, no padding; Caffe rounds the number of windows up."""
    height, width = (-(-(side - 3) // 2) + 1 for side in x.shape[1:])
    rows = [[x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((1, 2)) for j in range(width)] for i in range(height)]
    return np.array(rows).transpose(2, 0, 1)


def backbone(arrays, rgb):
    """uint8 RGB [H, W, 3] -> [1024, H / 16, W / 16]."""
    blue_first = rgb[:, :, ::-1].astype(np.float32) - np.float32([102.9801, 115.9465, 122.7717])
    x = rectify(layer(arrays, "backbone.stem.conv1", blue_first.transpose(2, 0, 1), stride=2, pad=3))
    x = pool_over_the_edge(x)
    for number, stride in ((2, 1), (3, 2), (4, 2)):
        x = stage(arrays, f"backbone.res{number}", x, stride)
    return x


def anchors(sizes, ratios):
    """generate_anchors.py: the base box 0 0 15 15 by ratio, rounded, then by scale; here sizes first, then ratios."""
    found = []
    for size in sizes:
        for ratio in ratios:
            width = np.round(np.sqrt(256 / ratio))
            height = np.round(width * ratio)
            width, height = width * (size / 16), height * (size / 16)
            found.append([7.5 - 0.5 * (width - 1), 7.5 - 0.5 * (height - 1),
                          7.5 + 0.5 * (width - 1), 7.5 + 0.5 * (height - 1)])  # fmt: skip
    return np.array(found)


def move(box, delta):
    """bbox_transform_inv for one box."""
    width, height = box[2] - box[0] + 1.0, box[3] - box[1] + 1.0
    x, y = box[0] + 0.5 * width + delta[0] * width, box[1] + 0.5 * height + delta[1] * height
    width, height = np.exp(delta[2]) * width, np.exp(delta[3]) * height
    return [x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height]


def overlap_with_last_pixel(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    areas = sum((box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b))
    return width * height / (areas - width * height)


def rpn(arrays, x):
    """Map -> objectness [A, H, W] and deltas [4 A, H, W]."""
    root = "proposal_generator.rpn_head"
    y = rectify(convolve(x, arrays[f"{root}.conv.weight"], pad=1, bias=arrays[f"{root}.conv.bias"]))
    return [convolve(y, arrays[f"{root}.{name}.weight"], bias=arrays[f"{root}.{name}.bias"])
            for name in ("objectness_logits", "anchor_deltas")]  # fmt: skip


def proposals(scores, deltas, cells, size, least, before, after, limit=0.7):
    """proposal_layer.py. size: height and width of the picture; least: smallest side in its pixels."""
    found = []
    count, rows, columns = scores.shape
    for i in range(rows):
        for j in range(columns):
            for k in range(count):
                box = np.array(cells[k]) + np.array([j, i, j, i]) * 16
                box = move(box, deltas[4 * k : 4 * k + 4, i, j])
                box = [min(max(v, 0), size[1 - axis % 2] - 1) for axis, v in enumerate(box)]
                if box[2] - box[0] + 1 >= least and box[3] - box[1] + 1 >= least:
                    found.append((scores[k, i, j], box))
    found = sorted(found, key=lambda one: -one[0])[:before]
    kept = []
    for _, box in found:
        if all(overlap_with_last_pixel(box, other) <= limit for other in kept):
            kept.append(box)
    return np.array(kept[:after])


def roi_pool(x, box, cells=14):
    """Caffe's ROIPooling of one box: maxima of whole cells of the stride-16 map."""
    left, top, right, bottom = (int(np.floor(v / 16 + 0.5)) for v in box)
    width, height = max(right - left + 1, 1), max(bottom - top + 1, 1)
    out = np.zeros((len(x), cells, cells), np.float32)
    for i in range(cells):
        for j in range(cells):
            y0, y1 = (min(max(v + top, 0), x.shape[1]) for v in _span(i, height / cells))
            x0, x1 = (min(max(v + left, 0), x.shape[2]) for v in _span(j, width / cells))
            if y1 > y0 and x1 > x0:
                out[:, i, j] = x[:, y0:y1, x0:x1].max((1, 2))
    return out


def _span(number, side):
    return int(np.floor(number * side)), int(np.ceil((number + 1) * side))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def head(arrays, x, boxes):
    """Map and boxes -> features, class probabilities (background last), attribute probabilities (none last)."""
    root = "roi_heads.box_predictor"
    features = np.array([stage(arrays, "roi_heads.res5", roi_pool(x, box), 1, 2).mean((1, 2)) for box in boxes])
    scores = _linear(arrays, f"{root}.cls_score", features)
    beside = arrays[f"{root}.cls_embedding.weight"][scores.argmax(1)]
    hidden = rectify(_linear(arrays, f"{root}.fc_attr", np.concatenate([features, beside], 1)))
    return features, softmax(scores), softmax(_linear(arrays, f"{root}.attr_score", hidden))


def _linear(arrays, name, x):
    return x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]
