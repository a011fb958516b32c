"""The picture of a run's curves: which panels and lines it has."""

import json
import sys

import cv2

from tests.bench import curves


def test_a_panel_for_each_objective_and_group_of_probes(tmp_path, monkeypatch):
    text, pair = {"seq2seq": 1.0}, {"seq2seq": 2.0, "visual": 1.0}
    rows = [{"step": step, "kind": kind, "losses": losses}
            for step, (kind, losses) in enumerate((("pair", pair), ("text", text), ("pair", pair)), start=1)]
    probes = [{"step": 2, "values": {"joint_text_to_image_R@1": 0.5, "masked_word_accuracy": 0.25}}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in probes))
    losses = curves.losses_of(rows)
    assert losses == {"seq2seq": {"pair": [(1, 2.0), (3, 2.0)], "text": [(2, 1.0)]},
                      "visual": {"pair": [(1, 1.0), (3, 1.0)]}}
    assert curves.probes_of(probes) == {"retrieval, read together": {"text to image R@1": [(2, 0.5)]},
                                        "restored, share": {"word": [(2, 0.25)]}}
    monkeypatch.setattr(sys, "argv", ["curves", str(tmp_path / "metrics.jsonl"), str(tmp_path / "out.png")])
    curves.main()
    assert cv2.imread(str(tmp_path / "out.png")).shape[:2] == (260, 1200)
