"""What a batch is made of beside its sequences (those are tested in test_stream.py, on a corpus)."""

from unimo_paddle.data.examples import PairSettings, belongs_to


def test_candidates_in_their_order() -> None:
    settings = PairSettings(99, 1, 9, 9, positives=1, negatives=2, retrieved_images=1, retrieved_texts=2)
    assert settings.is_positive == [True, True, False, False, True, True, True]


def test_the_same_words_belong_to_each_others_images() -> None:
    images, captions = ["1", "2", "1", "3"], ["A dog", "a  dog", "a cat", "a cat sits"]
    same = [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    assert belongs_to(images, captions, slice(0, 4)).astype(int).tolist() == same
    assert belongs_to(images, captions, slice(1, 3)).astype(int).tolist() == same[1:3]  # a rank's share
