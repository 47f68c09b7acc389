"""What the labels themselves suggest: two that always come together, and messages without any that are about the same."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import permutations
from typing import Any

import numpy as np

from model.serving.normalise import normalise
from model.store.database import now
from model.store.label_questions import LabelQuestion
from model.store.store import Store

# Of the newest messages, so many are looked through.
LOOKED_THROUGH = 1000
# Two labels come together where, on so many messages, nine of ten with either carry both.
TOGETHER_ON, TOGETHER_FROM = 20, 0.9
# So many messages about the same are worth a label. Two are alike from this cosine distance of their TF-IDF down.
ALIKE, APART = 8, 0.75
MOST_WORDS, MOST_EXAMPLES = 4, 20
_WORDS: dict[str, Any] = {"token_pattern": r"[^\W\d]{4,}"}


def ask_monthly(store: Store, moment: datetime | None = None) -> int:
    """Keep the questions of this month where that was not done yet, and return how many are new."""
    month = f"{moment or now():%Y-%m}"
    if store.label_questions.is_asked(month):
        return 0
    taxonomy = store.labels.current()
    carried: dict[int, tuple[str, ...]] = {}
    texts = dict(store.messages.recent_texts(LOOKED_THROUGH))
    for message_id in texts:
        if (prediction := store.predictions.latest(message_id)) is not None:
            carried[message_id] = taxonomy.read(prediction).labels
    judged = {each.row.id: each.state for each in store.judged.lately(taxonomy, LOOKED_THROUGH)}
    carried |= {message_id: state.shown for message_id, state in judged.items()}
    # That a message carries none is no gap where somebody said so.
    bare = {each: texts[each] for each, labels in carried.items() if each in texts and not labels and each not in judged}
    return store.label_questions.ask(month, [*together(carried), *clusters(bare)])


def together(carried: Mapping[int, Sequence[str]]) -> list[LabelQuestion]:
    """Return the pairs of labels of which nearly every message with either carries both, the surest first."""
    single: Counter[str] = Counter(name for labels in carried.values() for name in set(labels))
    both: Counter[tuple[str, str]] = Counter(pair for labels in carried.values() for pair in permutations(sorted(set(labels)), 2))
    found = []
    for (one, other), count in both.items():
        share = min(count / single[one], count / single[other])
        if one < other and count >= TOGETHER_ON and share >= TOGETHER_FROM:
            found.append(LabelQuestion(kind="together", labels=(one, other), share=share))
    return sorted(found, key=lambda question: -question.share)


def clusters(texts: Mapping[int, str]) -> list[LabelQuestion]:
    """Return groups of messages about the same, by density (DBSCAN on TF-IDF), the largest first."""
    from sklearn.cluster import DBSCAN
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(texts) < ALIKE:
        return []
    ids = list(texts)
    # What a third of all messages say says nothing of any; what one says connects it with none.
    vectorizer = TfidfVectorizer(strip_accents="unicode", sublinear_tf=True, min_df=2, max_df=0.34, **_WORDS)
    try:
        features = vectorizer.fit_transform([normalise(text) for text in texts.values()])
    except ValueError:
        return []  # no word is left
    filled = np.flatnonzero(np.asarray(features.sum(axis=1)).ravel() > 0)
    if len(filled) < ALIKE:
        return []
    group_of = DBSCAN(eps=APART, min_samples=ALIKE, metric="cosine").fit_predict(features[filled])
    names = vectorizer.get_feature_names_out()
    found = []
    for group in sorted(set(group_of.tolist()) - {-1}):
        members = filled[group_of == group]
        weights = np.asarray(features[members].mean(axis=0)).ravel()
        words = tuple(str(names[at]) for at in np.argsort(-weights)[:MOST_WORDS].tolist() if weights[at] > 0)
        question = LabelQuestion(kind="cluster", words=words, messages=tuple(ids[at] for at in members[:MOST_EXAMPLES].tolist()))
        found.append((len(members), question))
    return [question for _, question in sorted(found, key=lambda each: -each[0])]
