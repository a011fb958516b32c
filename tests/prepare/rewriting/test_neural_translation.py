"""Neural back-translation with tiny random models of the real format: CTranslate2's folder and two SentencePieces."""

import pytest

pytest.importorskip("ctranslate2")
pytest.importorskip("sentencepiece")

from tests.prepare.rewriting.tiny_translator import write_model
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.back_translation import make_translators
from unimo_paddle.prepare.rewriting.neural_translation import Model

TEXTS = ["a dog on a table", "", "two cats under the chair", "  a\ndog on a  table ", "a red bus"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    top = tmp_path_factory.mktemp("models") / "fr"
    return write_model(top / "forth", 1), write_model(top / "back", 2)


def test_there_and_back_is_the_two_models_one_after_the_other(folders):
    translator, = make_translators([f"neural:{folders[0].parent}"])
    there, back = (Model(folder) for folder in folders)
    found = translator(TEXTS)
    assert (translator.name, translator.is_fluent) == ("neural:fr", True)
    assert found == back(there(TEXTS))
    assert found == translator(TEXTS) and found[1] is None and isinstance(found[0], str)


def test_white_space_does_not_count_and_order_is_kept(folders):
    model = Model(folders[0])
    found = model(TEXTS)
    assert found[0] == found[3] != found[4]
    assert model(TEXTS[::-1])[::-1] == found
    assert model([]) == [] and model([None, " "]) == [None, None]


def test_the_end_token_is_given_once(folders, tmp_path):
    closed = write_model(tmp_path / "closed", 1, add_source_eos=True)   # as ct2-opus-mt-converter writes it
    assert Model(closed)(TEXTS) == Model(folders[0])(TEXTS)


def test_very_long_texts_are_cut(folders):
    assert len(Model(folders[0])(["dog " * 5000])) == 1


@pytest.mark.parametrize("name", ["model.bin", "source.spm", "target.spm", "config.json"])
def test_a_missing_file_is_named(folders, tmp_path, name):
    damaged = write_model(tmp_path / "damaged", 1)
    (damaged / name).unlink()
    with pytest.raises(UserError, match=f"holds no translation model, {name} missing; make it with: ct2-trans"):
        Model(damaged)


@pytest.mark.parametrize("name", ["model.bin", "source.spm", "shared_vocabulary.json"])
def test_a_damaged_file_is_no_traceback(tmp_path, name):
    damaged = write_model(tmp_path / "damaged", 1)
    (damaged / name).write_bytes(b"no such thing")
    with pytest.raises(UserError, match="a file of the model is damaged"):
        Model(damaged)(["a dog"])
