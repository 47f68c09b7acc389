"""A topic that the shipped messages do not know: the team wants what is about cheques under the label `cuenta`."""

from pathlib import Path

LABEL, EMOJI = "cuenta", "bank"

# Written by hand, no two of one mould: 40 to correct, and some that the network must tell by itself afterwards.
CORRECTED = (
    "necesito una chequera nueva de cien hojas",
    "se me acabaron los cheques, ¿cómo pido más?",
    "el cheque que me dieron rebotó por falta de fondos",
    "¿cuántos días demora en efectivizarse un cheque de otro banco?",
    "quiero anular el cheque 45 que firmé por error",
    "me robaron el talonario, hay que dar orden de no pago a los cheques",
    "¿puedo cobrar por ventanilla un cheque a nombre de mi papá?",
    "deposité un cheque el lunes y sigue retenido",
    "la chequera llegó con el apellido mal escrito",
    "un proveedor quiere que le pague con cheque certificado",
    "¿aceptan cheques posfechados?",
    "mi cheque fue protestado y no entiendo el motivo",
    "olvidé poner la fecha en un cheque, ¿lo pagan igual?",
    "endosé un cheque a mi hermana y se lo rechazaron",
    "busco la copia de un cheque que pagué en marzo",
    "perdí una hoja de la chequera, la número doce",
    "¿el cheque de gerencia lo entregan el mismo día?",
    "me piden un cheque en garantía para arrendar el local",
    "la firma del cheque no coincide, dice el cajero de ventanilla",
    "¿hasta qué monto se puede girar en un solo cheque?",
    "giré dos cheques y solo se cobró uno",
    "quiero que la chequera me la manden a la oficina",
    "tengo un cheque en dólares del exterior para depositar",
    "cheque cruzado, ¿se puede cobrar o solo depositar?",
    "llené mal la cantidad en letras de un cheque",
    "¿caducan los cheques? encontré uno del año pasado",
    "mi contador pregunta por los cheques girados y no cobrados",
    "necesito bloquear toda la chequera hasta nuevo aviso",
    "el banco de mi cliente devolvió su cheque por firma",
    "¿hay chequeras personalizadas con el logo de la empresa?",
    "me falta activar la chequera que retiré ayer",
    "el cheque se mojó y casi no se lee",
    "¿por qué un cheque certificado tiene que retirarlo el titular?",
    "revoquen por favor el cheque a favor de la ferretería",
    "quise pagar la luz con cheque y no me dejaron",
    "¿qué hago si el cheque tiene un tachón?",
    "la máquina lectora no leyó la banda del cheque",
    "el que giró el cheque ya falleció, ¿se puede cobrar?",
    "solicito confirmación de fondos de un cheque que recibí",
    "pedí chequera hace tres semanas y nada",
)
UNSEEN = (
    "¿me pueden cambiar este cheque por efectivo sin tener libreta?",
    "mi socio no firmó el cheque y son dos firmas conjuntas",
    "un cheque sin fondos, ¿qué multa tiene?",
    "me dieron un cheque con fecha de mañana",
)


def train_beginner(out: Path) -> Path:
    """Train mini on every third shipped message: whatever learns from all of them, and from corrections, is surely better."""
    from model.labels import seed_taxonomy
    from model.learning import training
    from model.learning.dataset import seed_examples

    data = seed_examples()
    training.train(data["train"][::3], data["dev"], taxonomy=seed_taxonomy(), base="mini", out=out, epochs=5)
    return out
