"""TF-IDF similarity from its definition, with dense vectors and loops: slow, and easy to believe."""

import math
import re


def words(caption: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", caption.lower())


def vectors(texts: list[list[str]]) -> list[dict[str, float]]:
    """tf x (1 + ln((1 + n) / (1 + df))), each text scaled to length 1 (scikit-learn's smoothed variant)."""
    vocabulary = {word for text in texts for word in text}
    df = {word: sum(word in text for text in texts) for word in vocabulary}
    idf = {word: 1 + math.log((1 + len(texts)) / (1 + df[word])) for word in vocabulary}
    answer = []
    for text in texts:
        raw = {word: text.count(word) * idf[word] for word in text}
        length = math.sqrt(sum(value * value for value in raw.values()))
        answer.append({word: value / length for word, value in raw.items()})
    return answer


def negatives(captions: list[str], image_ids: list[str], pair: int, k: int) -> list[tuple[str, float]]:
    """The k most similar (normalised text, score) among texts that no caption of the pair's image equals."""
    texts = [" ".join(words(caption)) for caption in captions]
    unique = list(dict.fromkeys(texts))
    weights = dict(zip(unique, vectors([text.split() for text in unique]), strict=True))
    own = {text for text, image in zip(texts, image_ids, strict=True) if image == image_ids[pair]}
    mine = weights[texts[pair]]
    scored = [(text, sum(value * weights[text].get(word, 0.0) for word, value in mine.items()))
              for text in unique if text not in own]
    return sorted((item for item in scored if item[1] > 0), key=lambda item: -item[1])[:k]
