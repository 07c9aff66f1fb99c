"""Runs a Flower ClientApp as a trainer: what was written for Flower trains in a federation of Assay as it is.

    flower_shim.py my_app.client_app:app local-epochs=2 batch-size=32

The app is one of Flower's message API (`@app.train()`, `@app.evaluate()`); it is imported from the current folder. It
gets the model as the ArrayRecord `arrays` under the manifest's tensor names and in the manifest's order, and the ConfigRecord
`config`: the training settings that are plain values, `server-round`, `seed` and `data` (the folder of the samples). Words
after the app's name become its `run_config`.

Back come one ArrayRecord and one MetricRecord under any names: arrays by the same names, or, as Flower's lists of numpy arrays are
kept, `0`, `1`, ... in the same order; `num-examples`, and whichever metrics have loss or accuracy (or acc) in their names.
`context.state` lives as long as this process does.
"""

import importlib
import math
import os
import sys
import time

# Nothing is told to Flower's makers about what runs here.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

import numpy
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, Metadata, RecordDict

import assay_trainer

NODE = 1
DAY = 24 * 3600.0


class FlowerShim(assay_trainer.Trainer):
    def __init__(self, app, run_config, name):
        self.app = app
        self.name = name
        self.context = Context(
            run_id=1,
            node_id=NODE,
            node_config={"partition-id": 0, "num-partitions": 1},
            state=RecordDict(),
            run_config=run_config,
        )

    def init(self, task):
        """From the manifest's shapes: a ClientApp is never asked for a model."""
        random = numpy.random.default_rng(list(task.seed))
        weights = {}
        for tensor in task.manifest["tensors"]:
            name, shape = tensor["name"], tensor["shape"]
            if len(shape) < 2:
                # Scales of normalising layers start at one under these names, everything else of one side at zero.
                ones = name.split("/")[-1] == "gain"
                weights[name] = numpy.ones(shape) if ones else numpy.zeros(shape)
            else:
                limit = math.sqrt(6 / (math.prod(shape[:-2]) * (shape[-2] + shape[-1])))
                weights[name] = random.uniform(-limit, limit, shape)
        return weights

    def train(self, task):
        task.require(algorithms=["fedavg", "reptile"])  # what an app does without being told
        content = self.call("train", task)
        arrays = only(content.array_records, "ArrayRecord")
        numbers = metrics(content)
        size = samples(numbers)
        steps = numbers.get("steps", math.ceil(size / task.config["batchSize"]))
        return assay_trainer.Trained(
            by_name(arrays, task.weights), size, steps, figure(numbers, "loss"), figure(numbers, "acc")
        )

    def evaluate(self, task):
        numbers = metrics(self.call("evaluate", task))
        return assay_trainer.Evaluated(samples(numbers), figure(numbers, "loss"), figure(numbers, "acc"))

    def call(self, kind, task):
        arrays = ArrayRecord({name: Array(numpy.ascontiguousarray(value)) for name, value in task.weights.items()})
        config = {key: value for key, value in task.config.items() if isinstance(value, (bool, int, float, str))}
        config["server-round"] = task.round
        config["seed"] = int.from_bytes(task.seed[:4], "little") >> 1
        if task.data is not None:
            config["data"] = task.data
        content = RecordDict({"arrays": arrays, "config": ConfigRecord(config)})
        # As the SuperLink would fill it in: a reply names what it replies to.
        metadata = Metadata(
            run_id=self.context.run_id,
            message_id="task-%d" % task.round,
            src_node_id=0,
            dst_node_id=NODE,
            reply_to_message_id="",
            group_id=str(task.round),
            created_at=time.time(),
            ttl=DAY,
            message_type=kind,
        )
        message = Message(content=content, metadata=metadata)
        reply = self.app(message, self.context)
        if reply.has_error():
            raise RuntimeError("the ClientApp answered with an error: %s" % reply.error)
        return reply.content


def only(records, kind):
    if len(records) != 1:
        raise ValueError("the ClientApp's reply has %d records of type %s, not one" % (len(records), kind))
    return next(iter(records.values()))


def by_name(arrays, asked):
    """Arrays by the manifest's names; the node judges names and shapes."""
    values = {key: array.numpy() for key, array in arrays.items()}
    if set(values) == {str(i) for i in range(len(asked))}:
        return {name: values[str(i)] for i, name in enumerate(asked)}
    return values


def metrics(content):
    return dict(only(content.metric_records, "MetricRecord"))


def samples(numbers):
    if "num-examples" not in numbers:
        raise ValueError("the ClientApp's metrics have no num-examples: %s" % ", ".join(sorted(numbers)))
    return numbers["num-examples"]


def figure(numbers, word):
    """The metric with that word in its name. An app that does not measure it is believed to have measured nothing: 0."""
    found = [value for name, value in sorted(numbers.items()) if word in name.lower()]
    return found[0] if found else 0.0


def parse(word):
    key, separator, text = word.partition("=")
    if not separator:
        sys.exit("expected key=value for the run config, not %r" % word)
    if text in ("true", "false"):
        return key, text == "true"
    for kind in (int, float):
        try:
            return key, kind(text)
        except ValueError:
            pass
    return key, text


if __name__ == "__main__":
    if len(sys.argv) < 3 or ":" not in sys.argv[1]:
        sys.exit("usage: flower_shim.py MODULE:APP [key=value ...] --serve | TASK_FOLDER")
    module, _, attribute = sys.argv[1].partition(":")
    sys.path.insert(0, os.getcwd())
    shim = FlowerShim(
        getattr(importlib.import_module(module), attribute), dict(map(parse, sys.argv[2:-1])), "Flower app " + sys.argv[1]
    )
    assay_trainer.run(shim, sys.argv[-1:])
