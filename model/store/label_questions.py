"""What the labels themselves suggest, kept as questions that are asked once. Every method is one transaction."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import select

from model.schema import Frozen
from model.store.database import Database
from model.store.tables import label_questions

# More questions a month are read by nobody.
MOST_A_MONTH = 5


class LabelQuestion(Frozen):
    """A question about the labels: two that come together, or messages without any that are about the same.

    `labels` are the two, of which `share` of the messages with the first carry the second too; or `words` are what the
    messages have in common. `messages` are those that it rests on.
    """

    kind: Literal["together", "cluster"]
    labels: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    share: float = 0.0
    messages: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """Return what makes it this question: it is asked once, whatever is answered."""
        return f"{self.kind}:{','.join(sorted(self.labels) or self.words)}"[:255]


class LabelQuestions:
    """The questions of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_asked(self, month: str) -> bool:
        """Return whether the questions of this month ("2026-11") are kept already."""
        with self._database.reading() as connection:
            rows = select(label_questions.c.id).where(label_questions.c.month == month).limit(1)
            return connection.execute(rows).first() is not None

    def ask(self, month: str, found: Sequence[LabelQuestion]) -> int:
        """Keep the month's questions, but for those that were asked before; return how many are new.

        A month without any is kept, too, so that it is looked for once.
        """
        with self._database.writing() as connection:
            nothing = {"month": month, "key": f"month:{month}", "question": {}, "answered_by": "beto"}
            connection.execute(self._database.insert_or_ignore(label_questions).values(**nothing))
            new = 0
            for question in found:
                if new == MOST_A_MONTH:
                    break
                row = {"month": month, "key": question.key, "question": question.model_dump(mode="json")}
                insert = self._database.insert_or_ignore(label_questions).values(**row).returning(label_questions.c.id)
                new += connection.execute(insert).first() is not None
            return new

    def open(self) -> list[tuple[int, LabelQuestion]]:
        """Return what nobody has answered yet, with its id, the oldest first."""
        with self._database.reading() as connection:
            wanted = select(label_questions).where(label_questions.c.answered_by.is_(None)).order_by(label_questions.c.id)
            return [(row.id, LabelQuestion.model_validate(row.question)) for row in connection.execute(wanted)]

    def answer(self, question_id: int, by: str) -> LabelQuestion | None:
        """Note that somebody has answered, and return the question; None where it was answered, or is no more."""
        with self._database.writing() as connection:
            mine = (label_questions.c.id == question_id, label_questions.c.answered_by.is_(None))
            answered = label_questions.update().where(*mine).values(answered_by=by).returning(label_questions.c.question)
            found = connection.execute(answered).scalar_one_or_none()
            return None if found is None else LabelQuestion.model_validate(found)
