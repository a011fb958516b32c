# Every target makes .venv first, from the pinned requirements, and reuses it when nothing changed.
# SCENES, SOURCE (auto, stamps, shapes) and WORLD can be given: make demo SCENES=500 SOURCE=shapes
PY := .venv/bin/python
WORLD := work/small_world
SCENES := 2000
SOURCE := auto
SLOW := .venv-slow/bin/python
FULL := work/small_world_full

.PHONY: help setup demo demo-control demo-full tasks task-table bench-extract operators bench bench-step bench-generation test test-slow lint clean

help:
	@echo "make demo          scenes -> regions -> pretraining -> retrieval on held-out pictures, end to end"
	@echo "make demo-control  the same pretraining with captions of other pictures: must stay at chance (after make demo)"
	@echo "make demo-full     all objectives on texts, images and pairs, half an hour of training (after make demo; Debian)"
	@echo "make tasks         the small world's fine-tuning tasks as records (after make demo)"
	@echo "make task-table    train and judge them all, as in docs/tasks.md (after make demo-full; 1 to 2 hours)"
	@echo "make bench-extract extraction against PaddleDetection's own loop, as a ratio (after make demo)"
	@echo "make operators     C++ operators for training on this CPU, for model.operators=native (needs g++)"
	@echo "make bench         a training step and beam search against PyTorch's and transformers', as ratios (20 minutes, 14 GB of memory;"
	@echo "                   makes .venv-slow); make bench-step, make bench-generation: one of them"
	@echo "make test          the tests: CPU, no network, minutes"
	@echo "make test-slow     the long ones too: live comparison with transformers and PyTorch (in .venv-slow)"
	@echo "make lint          ruff and mypy"
	@echo "make clean         remove work/, runs/ and caches; the virtual environments stay"

setup:
	@sh tools/setup.sh

# Every step goes on where an interrupted one stopped, and is quick when it is done already.
demo: setup
	$(PY) tools/prepare.py scenes --out $(WORLD)/scenes --images $(SCENES) --source $(SOURCE)
	$(PY) tools/prepare.py ingest coco --from $(WORLD)/scenes/coco/dataset.json --images $(WORLD)/scenes/images \
	    --corpus $(WORLD)/corpus
	$(PY) tools/train.py -c configs/detector/small_world.yaml
	$(PY) tools/extract.py --detector runs/detector_small_world/detector --corpus $(WORLD)/corpus \
	    --out $(WORLD)/regions
	$(PY) tools/prepare.py rewrite --corpus $(WORLD)/corpus --regions $(WORLD)/regions \
	    -o positives.translators=apertium:spa
	$(PY) tools/prepare.py tokenizer --corpus $(WORLD)/corpus --vocabulary 1500 --lowercase --out $(WORLD)/tokenizer
	$(PY) tools/train.py -c configs/pretrain_tiny.yaml
	$(PY) tools/evaluate.py -c configs/pretrain_tiny.yaml --weights runs/pretrain_tiny --sheet runs/pretrain_tiny/sheet.png
	@echo "Curves of every objective: .venv/bin/visualdl --logdir runs --host 127.0.0.1 --disable-telemetry"

# The small world's tasks as records: what tools/train.py -c configs/finetune/*_small_world.yaml reads (after make demo).
tasks: setup
	@for task in vqa:vqa snli_ve:snli_ve coco_caption:coco flickr30k:coco; do \
	    test -d $(WORLD)/tasks/$${task%%:*} || $(PY) tools/prepare.py task $${task%%:*} --from $(WORLD)/scenes/$${task##*:} \
	        --to $(WORLD)/tasks/$${task%%:*} --regions $(WORLD)/regions || exit 1; done
	@for task in mnli cola stsb coqa squad_qg; do test -d $(WORLD)/tasks/$$task || { \
	    $(PY) tools/prepare.py small-task $$task --scenes $(WORLD)/scenes --to $(WORLD)/downloads/$$task && \
	    $(PY) tools/prepare.py task $$task --from $(WORLD)/downloads/$$task --to $(WORLD)/tasks/$$task; } || exit 1; done
	@for task in sentiment titles; do test -d $(WORLD)/tasks/$$task || \
	    $(PY) tools/prepare.py small-task $$task --to $(WORLD)/tasks/$$task || exit 1; done

# The tables of docs/tasks.md (after make demo and make demo-full): three seeds of each task on pictures, one of each on words.
task-table: tasks
	@for task in vqa snli_ve coco_caption flickr30k; do \
	    $(PY) tools/sweep.py -c configs/study/$${task}_small_world.yaml || exit 1; done
	@for task in mnli:dev_m cola:dev stsb:dev coqa:dev squad_qg:test sentiment:test titles:test; do \
	    $(PY) tools/sweep.py -c configs/finetune/$${task%%:*}_small_world.yaml --grid train.seed=1 \
	        --split $${task##*:} || exit 1; done

demo-control: setup
	$(PY) tools/train.py -c configs/pretrain_tiny.yaml -o data.shuffle_captions=true
	$(PY) tools/evaluate.py -c configs/pretrain_tiny.yaml --weights runs/pretrain_tiny-data.shuffle_captions=true
	$(PY) tools/evaluate.py -c configs/pretrain_tiny.yaml --weights runs/pretrain_tiny-data.shuffle_captions=true \
	    -o evaluation.encoding=joint

# All objectives on all three kinds of data: the small world's pairs, scenes without captions, and the descriptions of
# Debian's packages, which also are what is retrieved. One step that is done already is quick.
demo-full: setup $(FULL)/descriptions.txt
	$(PY) tools/prepare.py scenes --out $(FULL)/scenes --images $(SCENES) --source $(SOURCE) --seed 2
	$(PY) tools/prepare.py ingest images --from $(FULL)/scenes/images/train --corpus $(FULL)/images
	$(PY) tools/extract.py --detector runs/detector_small_world/detector --corpus $(FULL)/images --out $(FULL)/regions
	$(PY) tools/prepare.py ingest coco --from $(WORLD)/scenes/coco/dataset.json --images $(WORLD)/scenes/images \
	    --corpus $(FULL)/corpus
	$(PY) tools/prepare.py ingest text --from $(FULL)/descriptions.txt --corpus $(FULL)/corpus
	$(PY) tools/prepare.py rewrite --corpus $(FULL)/corpus --regions $(WORLD)/regions -o positives.translators=apertium:spa
	$(PY) tools/prepare.py retrieve --corpus $(FULL)/corpus --images $(FULL)/regions --texts $(FULL)/corpus \
	    --regions $(WORLD)/regions
	$(PY) tools/prepare.py tokenizer --corpus $(FULL)/corpus --vocabulary 4000 --lowercase --out $(FULL)/tokenizer
	$(PY) tools/prepare.py tokens --corpus $(FULL)/corpus --tokenizer $(FULL)/tokenizer --out $(FULL)/tokens
	$(PY) tools/train.py -c configs/pretrain_small_world.yaml
	$(PY) tools/evaluate.py -c configs/pretrain_small_world.yaml --weights runs/pretrain_small_world

# One line a package: the long description, its paragraphs joined.
$(FULL)/descriptions.txt:
	@ls /var/lib/apt/lists/*Translation-en* >/dev/null 2>&1 || { echo "run apt-get update first: it brings the texts"; exit 1; }
	mkdir -p $(FULL)
	/usr/lib/apt/apt-helper cat-file /var/lib/apt/lists/*Translation-en* | awk '/^Description-en:/ {text = ""} \
	    /^ / {sub(/^ +/, ""); if ($$0 != ".") text = text " " $$0} \
	    /^$$/ {if (length(text) > 40) print substr(text, 2); text = ""}' | LC_ALL=C sort -u > $@.part
	mv $@.part $@

# Extraction against PaddleDetection's own loop, as a ratio (after make demo).
bench-extract: setup
	$(PY) -m tests.bench.extraction_speed --detector runs/detector_small_world/detector --images $(WORLD)/scenes/images

operators: setup
	@$(PY) -m unimo_paddle.operators.build

# A training step against PyTorch's, in turns; the ratios count.
bench: bench-step bench-generation

bench-step: operators .venv-slow/.installed
	$(PY) -m tests.bench.step_speed --torch-python $(SLOW)

# Beam search against transformers.generate and against no cache, in turns; the ratios count.
bench-generation: operators .venv-slow/.installed
	$(PY) -m tests.bench.generation_speed --torch-python $(SLOW)

test:
	@sh tools/setup.sh test
	$(PY) -m pytest

test-slow: .venv-slow/.installed
	UNIMO_SLOW_PYTHON=$(SLOW) $(PY) -m pytest -m "slow or not slow"

.venv-slow/.installed: requirements-slow.txt | setup
	rm -rf .venv-slow
	.venv/bin/python -m venv .venv-slow
	$(SLOW) -m pip install --quiet --disable-pip-version-check -r requirements-slow.txt
	touch $@

lint: setup
	$(PY) -m ruff check .
	$(PY) -m mypy

clean:
	rm -rf work runs .pytest_cache .mypy_cache .ruff_cache
