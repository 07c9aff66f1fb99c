"""A trainer for Assay in Python: the contract trainer/1 (docs/spec/trainer.md) in one file, standard library only.

A trainer is three functions; this module does the rest:

    import assay_trainer

    class MyTrainer(assay_trainer.Trainer):
        def init(self, task): return weights
        def train(self, task): return assay_trainer.Trained(weights, samples=..., steps=..., loss=..., accuracy=...)
        def evaluate(self, task): return assay_trainer.Evaluated(samples=..., loss=..., accuracy=...)

    assay_trainer.run(MyTrainer())

Weights are dictionaries from a tensor's name to its values: numpy arrays where numpy is installed, else `Tensor`s over
`array.array('f')`. Standard output belongs to the contract: `print` goes to the node's log.
"""

import array
import hashlib
import json
import os
import struct
import sys
import traceback

PROTOCOL = "trainer/1"

try:
    import numpy
except ImportError:  # everything below works without it
    numpy = None

_DTYPES = {  # safetensors' names: struct/array code, numpy's name
    "F32": ("f", "<f4"),
    "I32": ("i", "<i4"),
    "U16": ("H", "<u2"),
    "U8": ("B", "u1"),
}


class Tensor:
    """A tensor where there is no numpy: flat values, row-major, and a shape."""

    def __init__(self, values, shape):
        self.values = values
        self.shape = tuple(shape)


class Task:
    """What the node asks for."""

    def __init__(self, header, attachments, report):
        self.verb = header["verb"]
        self.round = header["round"]
        self.seed = bytes.fromhex(header["seed"])
        """32 bytes; everything left to chance comes from here."""
        self.manifest = header["manifest"]
        self.config = header["config"]
        """The manifest's training settings, with this device's own: batchSize, learningRate, localEpochs, ..."""
        self.data = header["data"]
        """The folder of the samples, or None."""
        self.weights = _named(attachments, "model")
        self.previous = _named(attachments, "previous")
        """The model that the round before started from, or None."""
        self.memory = _named(attachments, "memory") or {}
        """What the last round that counted returned as memory."""
        self.frozen = _named(attachments, "frozen") or {}
        """Public tensors that are read and never trained."""
        self._report = report

    def progress(self, epoch, epochs, loss, accuracy):
        """Tells the node how far this is: a sign of life, without which it ends a trainer that seems to hang."""
        self._report(
            {
                "type": "progress",
                "epoch": int(epoch),
                "epochs": int(epochs),
                "loss": float(loss),
                "accuracy": float(accuracy),
            }
        )

    def samples(self, split):
        """The samples `train` or `test` that the node wrote: (x, y, meta), x float32 [n, features], y int32 [n]."""
        with open(os.path.join(self.data, split + ".safetensors"), "rb") as file:
            tensors, meta = decode_safetensors(file.read())
        scale = float(meta["scale"])
        if numpy is not None:
            # In double precision first, then rounded once: what the node's own engine computes with.
            x = (tensors["x"].astype(numpy.float64) * scale).astype(numpy.float32)
            return x, tensors["y"], meta
        x = tensors["x"]
        return Tensor(array.array("f", (value * scale for value in x.values)), x.shape), tensors["y"], meta

    def text(self, split):
        """The text `train` or `test` that the node wrote: (tokens, meta), uint16 [n], 256 after each document."""
        with open(os.path.join(self.data, split + ".safetensors"), "rb") as file:
            tensors, meta = decode_safetensors(file.read())
        return tensors["tokens"], meta


    def require(self, **known):
        """Refuses a manifest that asks for something else: task.require(models=["mlp"], optimizers=["sgd"], ...)."""
        training = self.manifest["training"]
        asked = {
            "models": self.manifest["model"]["kind"],
            "tasks": self.manifest["task"],
            "optimizers": training["optimizer"],
            "algorithms": training.get("algorithm", {"kind": "fedavg"})["kind"],
        }
        for what, values in known.items():
            if asked[what] not in values:
                raise ValueError("this trainer knows the %s %s, not %s" % (what, ", ".join(values), asked[what]))
        if training.get("personal"):
            raise ValueError("this trainer keeps no head at home")

    def steps(self, size):
        """(steps, passes) of this round for that many samples: passes over the data, or a number of minibatches."""
        per_pass = -(-size // self.config["batchSize"])
        steps = self.config.get("localSteps") or self.config["localEpochs"] * per_pass
        return steps, -(-steps // per_pass)


class Trained:
    """The result of `train`. `memory`: tensors to be handed to the next round's task; they stay on this machine."""

    def __init__(self, weights, samples, steps, loss, accuracy, memory=None):
        self.weights = weights
        self.memory = memory or {}
        self.header = {
            "samples": int(samples),
            "steps": int(steps),
            "loss": float(loss),
            "accuracy": float(accuracy),
        }


class Evaluated:
    """The result of `evaluate`."""

    def __init__(self, samples, loss, accuracy):
        self.header = {"samples": int(samples), "loss": float(loss), "accuracy": float(accuracy)}


class Trainer:
    """Override these three."""

    name = None

    def init(self, task):
        """Initial weights, every tensor of task.manifest["tensors"]."""
        raise NotImplementedError("init")

    def train(self, task):
        """A `Trained`, from task.weights and the samples."""
        raise NotImplementedError("train")

    def evaluate(self, task):
        """An `Evaluated`, of task.weights on held-out samples."""
        raise NotImplementedError("evaluate")


def run(trainer, args=None):
    """Answers as the command line asks: `--serve` for task after task, or one task folder."""
    args = sys.argv[1:] if args is None else args
    if not args:
        sys.exit("usage: %s --serve | TASK_FOLDER   (docs/spec/trainer.md)" % os.path.basename(sys.argv[0]))
    if args[-1] == "--serve":
        _serve(trainer)
    else:
        _run_in_folder(trainer, args[-1])


# ---- persistent: frames over standard input and output --------------------------------------------------------------


def _serve(trainer):
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # From here on whatever prints, prints to the log.
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", buffering=1)

    def send(header, attachments=()):
        listed = [{"name": name, "bytes": len(data)} for name, data in attachments]
        text = json.dumps({**header, "attachments": listed}).encode()
        sink.write(struct.pack("<I", len(text)))
        sink.write(text)
        for _, data in attachments:
            sink.write(data)
        sink.flush()

    send({"type": "hello", "protocol": PROTOCOL, "name": trainer.name or type(trainer).__name__})
    while True:
        length = source.read(4)
        if len(length) < 4:
            return  # the node has no more tasks
        header = json.loads(_exactly(source, struct.unpack("<I", length)[0]))
        attachments = {entry["name"]: _exactly(source, entry["bytes"]) for entry in header["attachments"]}
        result, files = _answer(trainer, header, attachments, send)
        send({"type": "result", **result}, files)


def _exactly(source, count):
    data = source.read(count)
    if len(data) < count:
        sys.exit("the node's input ended within a frame")
    return data


# ---- one process for each task: a folder ----------------------------------------------------------------------------


def _run_in_folder(trainer, folder):
    with open(os.path.join(folder, "task.json"), encoding="utf-8") as file:
        header = json.load(file)
    attachments = {}
    for name in ("model", "previous", "memory", "frozen"):
        path = os.path.join(folder, name + ".safetensors")
        if os.path.exists(path):
            with open(path, "rb") as file:
                attachments[name] = file.read()
    result, files = _answer(trainer, header, attachments, lambda report: print(json.dumps(report), flush=True))
    for name, data in files:
        with open(os.path.join(folder, name + ".safetensors"), "wb") as file:
            file.write(data)
    # Last, and in one step: where there is a result, all of it is there.
    partial = os.path.join(folder, "result.json.partial")
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(partial, os.path.join(folder, "result.json"))
    if "error" in result:
        sys.exit(1)


# ---- both ------------------------------------------------------------------------------------------------------------


def _answer(trainer, header, attachments, report):
    """The result's header and its attachments; a failure is an answer as well, and its trace goes to the log."""
    result = {"protocol": PROTOCOL, "id": header.get("id"), "verb": header.get("verb")}
    try:
        if header.get("protocol") != PROTOCOL:
            raise ValueError("this trainer speaks %s, not %s" % (PROTOCOL, header.get("protocol")))
        if "model" in attachments:
            # Of the bytes that were read, not the words of the task: so the node sees that this model was used.
            result["modelSha256"] = hashlib.sha256(attachments["model"]).hexdigest()
        task = Task(header, attachments, report)
        if task.verb == "init":
            return result, [("result", encode_safetensors(trainer.init(task)))]
        if task.verb == "train":
            trained = trainer.train(task)
            files = [("result", encode_safetensors(trained.weights))]
            if trained.memory:
                files.append(("result-memory", encode_safetensors(trained.memory)))
            return {**result, **trained.header}, files
        if task.verb == "evaluate":
            return {**result, **trainer.evaluate(task).header}, []
        raise ValueError("there is no verb %r" % task.verb)
    except Exception as error:  # noqa: BLE001  the node is told, whatever it is
        traceback.print_exc()
        return {**result, "error": "%s: %s" % (type(error).__name__, error)}, []


def _named(attachments, name):
    return decode_safetensors(attachments[name])[0] if name in attachments else None


def encode_safetensors(tensors):
    """float32 tensors by name as the bytes of a safetensors file."""
    header, parts, end = {}, [], 0
    for name in sorted(tensors):
        value = tensors[name]
        if isinstance(value, Tensor):
            shape = value.shape
            values = array.array("f", value.values)
            if sys.byteorder == "big":
                values.byteswap()
            data = values.tobytes()
        else:  # numpy, or what numpy understands
            values = numpy.ascontiguousarray(value, dtype="<f4")
            shape, data = numpy.shape(value), values.tobytes()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *parts])


def decode_safetensors(data):
    """(tensors by name, metadata) of the bytes of a safetensors file."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        code, numpy_name = _DTYPES[entry["dtype"]]
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        if numpy is not None:
            # A copy: an array over the file's bytes could not be written to.
            tensors[name] = numpy.frombuffer(data[begin:end], dtype=numpy_name).reshape(entry["shape"]).copy()
        else:
            values = array.array(code)
            values.frombytes(data[begin:end])
            if sys.byteorder == "big":
                values.byteswap()
            tensors[name] = Tensor(values, entry["shape"])
    return tensors, meta
