"""What the labels suggest by themselves: as questions, once a month, and each only once."""

from datetime import UTC, datetime

from model.labels import seed_taxonomy
from model.learning.suggesting import ask_monthly, clusters, together
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.store import Store

PRINTER = [f"la impresora del piso {each} no tiene tóner" for each in ("uno", "dos", "tres", "cuatro", "cinco")] * 2
OTHERS = [
    "mañana hay reunión general", "quién trae café", "se cayó internet otra vez", "busco compañero para almorzar",
    "feliz cumpleaños querida colega", "cambiaron las llaves del estacionamiento", "salgo temprano hoy", "el ascensor hace ruido",
    "perdí un paraguas verde", "sobran empanadas en cocina", "vacaciones desde el lunes", "limpieza pasa luego",
    "hay simulacro de incendio", "firma pendiente del contrato", "curso de inglés empieza pronto", "sala ocupada hasta tarde",
    "proyector descompuesto arriba", "invitados esperan en recepción", "llegó correspondencia para contabilidad",
    "buenos días equipo",
]  # fmt: skip


def test_messages_without_a_label_that_are_about_the_same_are_a_question() -> None:
    """A team sees what it lacks; ten colleagues about one printer, and twenty about anything."""
    [found] = clusters(dict(enumerate([*OTHERS, *PRINTER])))
    assert {"impresora", "toner"} <= set(found.words)
    assert set(found.messages) == set(range(len(OTHERS), len(OTHERS) + len(PRINTER)))
    assert clusters(dict(enumerate(OTHERS))) == []
    assert clusters({}) == []


def test_labels_that_always_come_together_are_a_question_and_a_frequent_one_is_no_pair() -> None:
    """`app` is on every second message; that all of a rare label carry it does not make them one."""
    carried = {at: ("acceso", "app", "cuenta") if at < 22 else ("app",) for at in range(60)}
    [found] = together(carried)
    assert (found.labels, found.share) == (("acceso", "cuenta"), 1.0)


def test_a_month_asks_once_and_no_question_comes_twice(store: Store) -> None:
    """Whoever said no is not asked again next month."""
    for number in range(22):
        message = Message(channel="C1", ts=f"17{number:08}.1", user="U1", text=f"mensaje {number}", source=Source.CHANNEL)
        message_id, _ = store.messages.save(message)
        scores = dict.fromkeys(seed_taxonomy().names, 0.1)
        said = Prediction(version=1, base="mini", scores=scores, labels=("acceso", "cuenta"))
        store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    november, december = datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    assert ask_monthly(store, november) == 1
    assert ask_monthly(store, november) == 0
    [(number, question)] = store.label_questions.open()
    assert question.labels == ("acceso", "cuenta")
    assert store.label_questions.answer(number, "U1") == question
    assert store.label_questions.answer(number, "U2") is None
    assert ask_monthly(store, december) == 0
    assert store.label_questions.is_asked("2026-12")
    assert store.label_questions.open() == []
