"""What a task's model reads and predicts, token by token, as the release's description has it (sections 3 and 5)."""

CLS, SEP = 0, 2


def single(words, most):
    """Rows (id, position): too long a text loses its last words."""
    return _counted([CLS, *words[: most - 2], SEP])


def pair(a, b, most):
    a, b = list(a), list(b)
    while len(a) + len(b) > most - 3:
        (a if len(a) > len(b) else b).pop()
    return _counted([CLS, *a, SEP, *b, SEP])


def source(words, most):
    """Of plain sequence to sequence: [CLS] at 2, the segment with its [SEP] from 3 on."""
    segment = [*words, SEP]
    if len(segment) > most - 1:
        segment = [*segment[: most - 2], SEP]
    return [(CLS, 2), *((token, 3 + i) for i, token in enumerate(segment))]


def dialogue(passage, turns, most):
    """Rows (id, position, role, turn)."""
    turns = turns[-15:]
    n = len(turns)
    rows = [(CLS, 2, n % 2, n)]
    role, turn = n % 2, n
    for words, of_role, of_turn in [(passage, 2, 0), *_spoken(turns, role, turn)]:
        segment = [*words[: most - 2], SEP]
        rows += [(token, 3 + i, of_role, of_turn) for i, token in enumerate(segment)]
    return rows


def _spoken(turns, role, turn):
    for words in turns:
        yield words, role, turn
        role, turn = 1 - role, turn - 1


def target(words, most, end, mask):
    """Rows of the target; a caption keeps its [SEP], another target that is cut has no end."""
    if end == "sep":
        return _counted([CLS, *words[: most - 2], SEP])
    ids = [*words, SEP][: most - 1]
    if ids and ids[-1] == SEP:
        ids[-1] = mask
    return _counted([CLS, *ids])


def tags(words, most):
    return _counted([CLS, *words, SEP])[:most]


def _counted(ids):
    return [(token, 2 + i) for i, token in enumerate(ids)]


def may_read(regions, n_source, n_target):
    """Matrix [S][S] of who reads whom: image and source each other, the target both and itself up to where it is."""
    prefix = regions + n_source
    size = prefix + n_target
    return [[j < prefix or (i >= prefix and j <= i) for j in range(size)] for i in range(size)]
