"""Byte-level BPE from its definition (GPT-2; spec/release.md section 1): slow, one step at a time.

A text is cut into pieces (contractions, letters, digits, other signs, whitespace; one space may lead a piece), each
piece becomes UTF-8 bytes, and then the most frequent known pair of neighbours is joined until none is left.
"""

import itertools
import unicodedata

CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
WHITESPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def letter_of_byte(byte):
    """Bytes that print stand for themselves; the others take the letters from U+0100 on, in order."""
    def prints(value):
        return 33 <= value <= 126 or 161 <= value <= 172 or 174 <= value <= 255

    return chr(byte) if prints(byte) else chr(256 + sum(not prints(value) for value in range(byte)))


def kind(character):
    if character in WHITESPACE:
        return "space"
    category = unicodedata.category(character)[0]
    return {"L": "letter", "N": "digit"}.get(category, "other")


def run_length(text, start, wanted):
    end = start
    while end < len(text) and kind(text[end]) == wanted:
        end += 1
    return end - start


def next_piece(text, start):
    for contraction in CONTRACTIONS:
        if text.startswith(contraction, start):
            return contraction
    lead = 1 if text[start] == " " and start + 1 < len(text) and kind(text[start + 1]) != "space" else 0
    first = kind(text[start + lead])
    length = lead + run_length(text, start + lead, first)
    # A run of whitespace before a word leaves its last sign over, which may lead that word.
    if first == "space" and start + length < len(text) and length > 1:
        length -= 1
    return text[start : start + length]


def split(text):
    pieces, start = [], 0
    while start < len(text):
        pieces.append(next_piece(text, start))
        start += len(pieces[-1])
    return pieces


def join_pairs(letters, rank):
    letters = list(letters)
    while True:
        pairs = [(rank[pair], place) for place, pair in enumerate(itertools.pairwise(letters)) if pair in rank]
        if not pairs:
            return letters
        _, place = min(pairs)
        letters[place : place + 2] = [letters[place] + letters[place + 1]]


def encode(text, pieces, merges):
    """Ids of a text. pieces: piece -> id; merges: pairs, most frequent first."""
    rank = {pair: number for number, pair in enumerate(merges)}
    ids = []
    for piece in split(text):
        letters = "".join(letter_of_byte(byte) for byte in piece.encode())
        ids += [pieces[joined] for joined in join_pairs(letters, rank)]
    return ids


def decode(ids, pieces):
    byte_of = {letter_of_byte(byte): byte for byte in range(256)}
    piece_of = {index: piece for piece, index in pieces.items()}
    return bytes(byte_of[letter] for index in ids for letter in piece_of[index]).decode(errors="replace")
