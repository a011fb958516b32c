"""Readers of the tasks' data, from downloads to records. READERS: the names in Task.formats -> reader."""

from __future__ import annotations

from unimo_paddle.prepare.tasks.captions import read_coco_release, read_karpathy_captions
from unimo_paddle.prepare.tasks.coqa import read_coqa
from unimo_paddle.prepare.tasks.custom import read_records
from unimo_paddle.prepare.tasks.flickr30k import read_flickr30k_release, read_karpathy_retrieval
from unimo_paddle.prepare.tasks.glue import read_cola, read_glue_release, read_mnli, read_sst2, read_stsb
from unimo_paddle.prepare.tasks.reader import Reader
from unimo_paddle.prepare.tasks.seq2seq import read_seq2seq_release
from unimo_paddle.prepare.tasks.snli_ve import read_snli_ve, read_snli_ve_release
from unimo_paddle.prepare.tasks.squad_qg import read_squad_qg
from unimo_paddle.prepare.tasks.summaries import read_summaries
from unimo_paddle.prepare.tasks.vqa import read_vqa

READERS: dict[str, Reader] = {
    "sst2": read_sst2,
    "cola": read_cola,
    "mnli": read_mnli,
    "stsb": read_stsb,
    "glue_release": read_glue_release,
    "coqa": read_coqa,
    "squad_qg": read_squad_qg,
    "seq2seq_release": read_seq2seq_release,
    "summaries": read_summaries,
    "vqa": read_vqa,
    "karpathy_captions": read_karpathy_captions,
    "coco_release": read_coco_release,
    "snli_ve": read_snli_ve,
    "snli_ve_release": read_snli_ve_release,
    "karpathy_retrieval": read_karpathy_retrieval,
    "flickr30k_release": read_flickr30k_release,
    "records": read_records,
}
