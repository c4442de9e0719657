"""How well evidence given as changed words is placed: precision and recall of `encoder.text.align`.

    python -m benchmarks.align [--posts 400] [--corpus FILE.txt[.gz]] [--seed 0]

Each post is made of sentences of a corpus (one text per line; default: the bundled corpus). A sentence of it is given back as a
changed copy (re-cased, re-punctuated, misspelt, shortened, reordered, reworded), or a changed sentence of ANOTHER post is given, which
must not be found. A place counts as right if it overlaps the true sentence with IoU >= 0.5.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from encoder.text.align import align
from encoder.text.sentences import sentences
from storage.records import Span

SYNONYMS = {
    "can't": "cannot", "cannot": "can not", "i'm": "i am", "don't": "do not", "it's": "it is", "sad": "unhappy", 
    "tired": "exhausted",
    "really": "very", "very": "really", "feel": "feeling", "think": "believe", "want": "would like",
    "like": "as if", "people": "others",
    "always": "constantly", "never": "not ever", "good": "decent", "bad": "awful", "get": "become", "just": "only", "life": "existence",
    "nothing": "not a thing", "everything": "it all", "because": "since", "but": "though", "so": "thus", "thing": "matter", 
    "night": "evening",
    "day": "daytime", "work": "job", "friends": "mates", "sleep": "rest", "been": "was", "have": "had", "was": "were", "is": "was",
}  # fmt: skip
Change = Callable[[str, random.Random], str]


def recased(text: str, rng: random.Random) -> str:
    return rng.choice([text.upper(), text.lower(), text.title(), text.swapcase()])


def repunctuated(text: str, rng: random.Random) -> str:
    changed = text.replace("'", rng.choice(["’", "'", ""])).replace('"', "“").replace(" - ", " — ")
    changed = re.sub(r"[.,!?;:]+", lambda m: rng.choice(["", "...", "!", ","]), changed)
    return re.sub(r"\s+", lambda m: rng.choice([" ", "  ", "\n"]), changed)


def misspelt(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(max(1, len(letters) // 25)):
        at = rng.randrange(len(letters) - 1)
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


def shortened(text: str, rng: random.Random) -> str:
    words = text.split()
    keep = max(3, int(len(words) * rng.uniform(0.6, 0.9)))
    start = rng.randint(0, len(words) - keep) if len(words) > keep else 0
    return " ".join(words[start : start + keep])


def dropped(text: str, rng: random.Random) -> str:
    words = text.split()
    return " ".join(w for w in words if rng.random() > 0.15) or text


def reordered(text: str, rng: random.Random) -> str:
    words = text.split()
    cut = rng.randint(1, max(1, len(words) - 1))
    return " ".join(words[cut:] + words[:cut])


def reworded(text: str, rng: random.Random) -> str:
    words = [SYNONYMS.get(w.lower().strip(".,!?"), w) if rng.random() < 0.8 else w for w in text.split()]
    return " ".join(words)


def paraphrased(text: str, rng: random.Random) -> str:
    return dropped(reworded(recased(text, rng), rng), rng)


CHANGES: dict[str, Change] = {
    f.__name__: f for f in (recased, repunctuated, misspelt, shortened, dropped, reordered, reworded, paraphrased)
}


def read_lines(path: Path | None) -> list[str]:
    """Sentences of 5 to 40 words: one per line of the file, else those of the demo posts."""
    if path is None:
        demo = (resources.files("encoder") / "bundled" / "posts.jsonl").read_text("utf-8")
        posts = [json.loads(line)["text"] for line in demo.split("\n") if line.strip()]
        lines = [s.quote(text) for text in posts for s in sentences(text)]
    else:
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
        lines = text.splitlines()
    return list(dict.fromkeys(" ".join(line.split()) for line in lines if 5 <= len(line.split()) <= 40))


def a_post(lines: list[str], rng: random.Random) -> str:
    chosen = [line if line[-1] in ".!?" else line + "." for line in rng.sample(lines, rng.randint(6, 20))]
    return " ".join(chosen)


def measure(lines: list[str], *, posts: int, seed: int) -> dict[str, dict[str, float]]:
    """By kind of change: precision, recall, share left to a person, of which with the true place among the candidates."""
    rng = random.Random(seed)
    counts: dict[str, Counter[str]] = {name: Counter() for name in CHANGES}
    for _ in range(posts):
        text, foreign = a_post(lines, rng), rng.choice(lines)
        places = [s for s in sentences(text) if len(s.quote(text).split()) >= 4]
        for name, change in CHANGES.items():
            truth = rng.choice(places)
            _count(counts[name], text, change(truth.quote(text), rng), truth)
            if foreign not in text:
                _count(counts[name], text, change(foreign, rng), None)
    counts["all"] = sum(counts.values(), Counter())
    return {name: _figures(found) for name, found in counts.items()}


def _count(found: Counter[str], text: str, evidence: str, truth: Span | None) -> None:
    result = align(text, evidence)
    found["there" if truth else "absent"] += 1
    if result.best is not None:
        found["placed"] += 1
        right = truth is not None and (result.best.span.iou(truth) >= 0.5 or _inside(result.best.span, truth))
        found["right"] += right
    elif result.doubtful:
        found["doubtful"] += 1
        found["doubtful_right"] += truth is not None and any(c.span.overlaps(truth) for c in result.candidates)


def _inside(span: Span, truth: Span) -> bool:
    """A shortened copy is rightly placed on its own words."""
    return truth.start <= span.start and span.end <= truth.end


def _figures(found: Counter[str]) -> dict[str, float]:
    return {
        "precision": round(found["right"] / max(1, found["placed"]), 4),
        "recall": round(found["right"] / max(1, found["there"]), 4),
        "confirm_list": round(found["doubtful"] / max(1, found["there"] + found["absent"]), 4),
        "recall_with_list": round((found["right"] + found["doubtful_right"]) / max(1, found["there"]), 4),
        "pieces": found["there"] + found["absent"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=400)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name, figures in measure(read_lines(arguments.corpus), posts=arguments.posts, seed=arguments.seed).items():
        print(json.dumps({"change": name, **figures}))


if __name__ == "__main__":
    main()
