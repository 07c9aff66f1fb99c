"""An example trainer: multi-layer perceptrons, convolutional networks and transformers in PyTorch, for manifests whose
model has the kind `mlp`, `cnn` or `transformer` (client/models/ has their definitions).

    npx assay trainer check 'python3 client/training/external/python/pytorch_trainer.py --device cuda'

Weights keep the manifest's names and layouts and are used as plain tensors; only convolutions turn their images and
filters around, from height-width-channels to PyTorch's order. SGD with momentum or Adam, FedAvg, Reptile and FedProx; it
refuses what it does not know.
"""

import argparse
import math
import sys

import numpy
import torch
from torch.nn import functional

import assay_trainer

WINDOWS_AT_ONCE = 64
SAMPLES_AT_ONCE = 500


class PyTorchTrainer(assay_trainer.Trainer):
    def __init__(self, device):
        self.device = torch.device(device)
        self.name = "PyTorch %s on %s" % (torch.__version__, self.device)

    def init(self, task):
        task.require(models=list(MODELS))
        generator = torch.Generator().manual_seed(int.from_bytes(task.seed[:8], "little") >> 1)
        weights = {}
        for tensor in task.manifest["tensors"]:
            name, shape = tensor["name"], tensor["shape"]
            if name.endswith("/gain"):
                weights[name] = torch.ones(shape)
            elif len(shape) < 2:
                weights[name] = torch.zeros(shape)
            elif name.startswith("embedding/"):
                weights[name] = 0.02 * torch.randn(shape, generator=generator)
            else:  # Glorot and Bengio 2010, equation 16
                window = math.prod(shape[:-2])
                limit = math.sqrt(6 / (window * (shape[-2] + shape[-1])))
                weights[name] = (2 * torch.rand(shape, generator=generator) - 1) * limit
        return {name: value.numpy() for name, value in weights.items()}

    def train(self, task):
        task.require(
            models=list(MODELS), optimizers=["sgd", "adam"], algorithms=["fedavg", "reptile", "fedprox"]
        )
        data = self.load(task, "train")
        config = task.config
        start = self.upload(task.weights)
        weights = {name: value.clone().requires_grad_() for name, value in start.items()}
        optimizer = create_optimizer(config, weights.values())
        proximal = config.get("algorithm", {}).get("proximal", 0)
        random = numpy.random.default_rng([*task.seed, task.round])
        total, epochs = task.steps(data.size)
        step = 0
        for epoch in range(1, epochs + 1):
            order = data.shuffled(random)
            score = Score()
            for begin in range(0, len(order), config["batchSize"]):
                if step == total:
                    break
                inputs, labels = data.take(order[begin : begin + config["batchSize"]])
                logits = MODELS[task.manifest["model"]["kind"]](task.manifest["model"], weights, inputs)
                loss = score.add(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                if "maxGradientNorm" in config:
                    torch.nn.utils.clip_grad_norm_(weights.values(), config["maxGradientNorm"])
                if proximal:  # FedProx (Li et al. 2020): a pull back to the round's model
                    for name, value in weights.items():
                        value.grad += proximal * (value.detach() - start[name])
                optimizer.step()
                step += 1
            task.progress(epoch, epochs, score.loss, score.accuracy)
        trained = {name: value.detach().cpu().numpy() for name, value in weights.items()}
        return assay_trainer.Trained(trained, data.size, step, score.loss, score.accuracy)

    def evaluate(self, task):
        task.require(models=list(MODELS))
        data = self.load(task, "test")
        weights = self.upload(task.weights)
        model = task.manifest["model"]
        score = Score()
        order = data.ordered()
        with torch.no_grad():
            for begin in range(0, len(order), data.at_once):
                inputs, labels = data.take(order[begin : begin + data.at_once])
                score.add(MODELS[model["kind"]](model, weights, inputs), labels)
        return assay_trainer.Evaluated(score.count, score.loss, score.accuracy)

    def load(self, task, split):
        if task.manifest["task"] == "language-model":
            return Text(*task.text(split), self.device)
        return Samples(*task.samples(split), self.device)

    def upload(self, weights):
        return {name: torch.from_numpy(value).to(self.device) for name, value in weights.items()}


class Samples:
    """Rows with a label each."""

    at_once = SAMPLES_AT_ONCE

    def __init__(self, x, y, _meta, device):
        self.x = torch.from_numpy(x).to(device)
        self.y = torch.from_numpy(y.astype(numpy.int64)).to(device)
        self.size = len(y)

    def shuffled(self, random):
        return random.permutation(self.size)

    def ordered(self):
        return numpy.arange(self.size)

    def take(self, rows):
        rows = torch.from_numpy(rows).to(self.x.device)
        return self.x[rows], self.y[rows]


class Text:
    """Windows of context + 1 tokens: each token's successor is what is asked for."""

    at_once = WINDOWS_AT_ONCE

    def __init__(self, tokens, meta, device):
        self.tokens = torch.from_numpy(tokens.astype(numpy.int64)).to(device)
        self.context = int(meta["context"])
        self.size = (len(tokens) - 1) // self.context

    def starts(self, offset):
        last = len(self.tokens) - 1 - self.context
        return numpy.minimum(offset + self.context * numpy.arange(self.size), last)

    def shuffled(self, random):
        # From another offset in every pass, so that a token is not always at the same place in its window.
        return random.permutation(self.starts(int(random.integers(self.context))))

    def ordered(self):
        return self.starts(0)

    def take(self, starts):
        places = torch.from_numpy(starts[:, None] + numpy.arange(self.context + 1)).to(self.tokens.device)
        windows = self.tokens[places]
        return windows[:, :-1], windows[:, 1:].reshape(-1)


class Score:
    """Mean loss and share of right predictions over batches."""

    def __init__(self):
        self.losses = self.right = self.count = 0

    def add(self, logits, labels):
        logits = logits.reshape(-1, logits.shape[-1])
        loss = functional.cross_entropy(logits, labels)
        self.losses += loss.item() * len(labels)
        self.right += (logits.argmax(1) == labels).sum().item()
        self.count += len(labels)
        return loss

    @property
    def loss(self):
        return self.losses / self.count

    @property
    def accuracy(self):
        return self.right / self.count


def create_optimizer(config, parameters):
    if config["optimizer"] == "adam":
        betas = (config.get("beta1", 0.9), config.get("beta2", 0.999))
        return torch.optim.Adam(parameters, config["learningRate"], betas, config.get("epsilon", 1e-8))
    return torch.optim.SGD(parameters, config["learningRate"], config.get("momentum", 0))


# ---- models: settings, weights by name, a batch -> logits ------------------------------------------------------------


def mlp(model, weights, x):
    for i in range(len(model["hidden"])):
        x = ACTIVATIONS[model["activation"]](dense(weights, "hidden%d" % (i + 1), x))
    return dense(weights, "output", x)


def cnn(model, weights, x):
    height, width, channels = model["image"]
    x = x.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
    counts = {}
    for stage in model["stages"]:
        kind = stage["kind"]
        counts[kind] = counts.get(kind, 0) + 1
        name = "%s%d" % (kind, counts[kind])
        if kind == "conv":
            filters = weights[name + "/kernel"].permute(3, 2, 0, 1)
            if stage["padding"] == "same":
                x = functional.pad(x, [*pads(x.shape[3], stage), *pads(x.shape[2], stage)])
            x = functional.conv2d(x, filters, weights[name + "/bias"], stride=stage["strides"])
            x = ACTIVATIONS[stage["activation"]](x)
        elif kind == "dense":
            x = ACTIVATIONS[stage["activation"]](dense(weights, name, flat(x)))
        else:
            pool = functional.max_pool2d if kind == "maxPool" else functional.avg_pool2d
            x = pool(x, stage["size"], stage["strides"])
    return dense(weights, "output", flat(x))


def pads(side, stage):
    """Zeros before and after, so that ceil(side / strides) windows fit; the odd one comes after."""
    windows = math.ceil(side / stage["strides"])
    total = max(0, (windows - 1) * stage["strides"] + stage["size"] - side)
    return total // 2, total - total // 2


def flat(x):
    """An image row by row, channels innermost, as the manifest's dense kernels expect it."""
    return x if x.dim() == 2 else x.permute(0, 2, 3, 1).reshape(len(x), -1)


def transformer(model, weights, tokens):
    table = weights["embedding/table"]
    length = tokens.shape[1]
    future = torch.ones(length, length, dtype=torch.bool, device=tokens.device).triu(1)
    x = table[tokens] + weights["embedding/position"][:length]
    for i in range(model["layers"]):
        block = "block%d/" % (i + 1)
        qkv = dense(weights, block + "attention", norm(weights, block + "norm1", x))
        # Queries, keys and values beside each other, each split into heads.
        queries, keys, values = qkv.reshape(len(x), length, 3, model["heads"], -1).permute(2, 0, 3, 1, 4)
        # Written out: PyTorch has this as one function since version 2 only.
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
        seen = torch.softmax(scores.masked_fill(future, -math.inf), -1) @ values
        x = x + dense(weights, block + "projection", seen.permute(0, 2, 1, 3).reshape(x.shape))
        wide = functional.gelu(dense(weights, block + "expand", norm(weights, block + "norm2", x)), approximate="tanh")
        x = x + dense(weights, block + "contract", wide)
    return norm(weights, "norm", x) @ table.T


def dense(weights, name, x):
    return x @ weights[name + "/kernel"] + weights[name + "/bias"]


def norm(weights, name, x):
    return functional.layer_norm(x, x.shape[-1:], weights[name + "/gain"], weights[name + "/offset"], 1e-5)


MODELS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}
ACTIVATIONS = {"linear": lambda x: x, "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A trainer/1 on PyTorch.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps")
    options, rest = parser.parse_known_args()
    torch.use_deterministic_algorithms(True, warn_only=True)
    assay_trainer.run(PyTorchTrainer(options.device), [sys.argv[0], *rest][1:])
