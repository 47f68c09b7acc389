"""A checkpoint of BERT's kind that reads letters, and whose weights are chance, for where the language does not matter."""

from pathlib import Path

from model.serving.normalise import ALPHABET


def letters_checkpoint(folder: Path, *, layers: int) -> str:
    """Write it, 32 units wide, and return where it is; torch's seed decides the weights."""
    import transformers  # seconds: only for those tests that need it

    letters = sorted(ALPHABET - {" "})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=64
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False, model_max_length=512).save_pretrained(folder)
    return str(folder)
