"""Slow oracles of answer scores, from their papers' and scripts' definitions, one question at a time."""

import re


def vqa_accuracy(guess, people, normalise):
    """VQA (Antol 2015, leave one out): mean over ten choose nine people of min(1, agreeing / 3)."""
    if len(set(people)) > 1:
        people, guess = [normalise(answer) for answer in people], normalise(guess)
    scores = []
    for left_out in range(len(people)):
        others = [answer for place, answer in enumerate(people) if place != left_out]
        scores.append(min(1.0, sum(answer == guess for answer in others) / 3))
    return sum(scores) / len(scores)


def words(answer):
    answer = "".join(letter for letter in answer.lower() if letter not in r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~""")
    return [word for word in re.sub(r"\b(a|an|the)\b", " ", answer).split() if word]


def f1(guess, gold):
    guessed, right = words(guess), words(gold)
    if not guessed or not right:
        return float(guessed == right)
    left, same = list(right), 0
    for word in guessed:
        if word in left:
            left.remove(word)
            same += 1
    if same == 0:
        return 0.0
    precision, recall = same / len(guessed), same / len(right)
    return 2 * precision * recall / (precision + recall)


def coqa_f1(guess, people):
    if len(people) == 1:
        return f1(guess, people[0])
    rounds = [max(f1(guess, gold) for place, gold in enumerate(people) if place != out) for out in range(len(people))]
    return sum(rounds) / len(rounds)
