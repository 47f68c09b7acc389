"""How the scores grow with the number of labelled messages: the network and the floor, on the same messages.

    python tests/bench/learning_curve.py FOLDER [--base mini|CHECKPOINT] [--seeds 0,1,2] [--sizes 100,300,1000,all]

FOLDER holds train.jsonl and dev.jsonl. Of the training messages a seed draws so many; a tenth of them (a fifth below 200)
serves as dev (best weights, calibration, thresholds, the floor's threshold), the others are learned from. All of dev.jsonl
is what both are judged on: nothing is learned or tuned there. Each line is one training; the last is all of it in JSON.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from model.labels import Taxonomy
from model.learning.dataset import read_examples
from model.learning.training import train
from tests.bench.machine import machine_facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", default="mini")
    parser.add_argument("--seeds", default="0,1,2", help="which, by commas")
    parser.add_argument("--sizes", default="100,300,1000,all", help="labelled messages in all, by commas")
    arguments = parser.parse_args()
    messages, judged = (read_examples(arguments.folder / f"{name}.jsonl") for name in ("train", "dev"))
    taxonomy = Taxonomy.from_names(sorted({label for example in [*messages, *judged] for label in example.labels}))

    runs = []
    for size in arguments.sizes.split(","):
        for seed in map(int, arguments.seeds.split(",")):
            drawn = random.Random(seed).sample(messages, len(messages) if size == "all" else int(size))
            every = 5 if len(drawn) < 200 else 10
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                card = train(
                    [example for at, example in enumerate(drawn) if at % every],
                    drawn[::every],
                    test=judged,
                    taxonomy=taxonomy,
                    base=arguments.base,
                    out=Path(folder) / "version",
                    seed=seed,
                )
            run = {
                "messages": len(drawn),
                "seed": seed,
                **{
                    name: {measure: round(100 * getattr(scores, measure), 1) for measure in ("micro_f1", "macro_f1")}
                    for name, scores in {"network": card.scores["test"], "floor": card.floor["test"]}.items()
                },
                "epochs": [card.settings["epochs_run"], card.settings["epochs"]],
                "seconds": round(time.perf_counter() - began, 1),
            }
            print(json.dumps(run), flush=True)
            runs.append(run)
    print(json.dumps({"bench": "learning_curve", "base": Path(arguments.base).name, **machine_facts(), "runs": runs}))


if __name__ == "__main__":
    main()
