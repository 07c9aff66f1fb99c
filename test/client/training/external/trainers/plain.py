"""A trainer on Python's standard library alone: full-batch gradient descent of logistic regression, in lists."""

import math

import assay_trainer
from assay_trainer import Tensor

assert assay_trainer.numpy is None, "this is meant to be tried without numpy"


class Plain(assay_trainer.Trainer):
    def init(self, task):
        return {
            tensor["name"]: Tensor([task.seed[0] / 1000] * math.prod(tensor["shape"]), tensor["shape"])
            for tensor in task.manifest["tensors"]
        }

    def train(self, task):
        kernel, bias = list(task.weights["output/kernel"].values), list(task.weights["output/bias"].values)
        for epoch in range(task.config["localEpochs"]):
            size, loss, hits, slopes = self.look(task, "train", kernel, bias)
            for at, slope in slopes["kernel"].items():
                kernel[at] -= task.config["learningRate"] * slope
            for at, slope in slopes["bias"].items():
                bias[at] -= task.config["learningRate"] * slope
            task.progress(epoch + 1, task.config["localEpochs"], loss, hits / size)
        print("trained in plain Python")
        weights = {
            "output/kernel": Tensor(kernel, task.weights["output/kernel"].shape),
            "output/bias": Tensor(bias, task.weights["output/bias"].shape),
        }
        kept = Tensor([len(task.memory) + 1.0], [1, 1])
        return assay_trainer.Trained(weights, size, task.config["localEpochs"], loss, hits / size, {"kept": kept})

    def evaluate(self, task):
        weights = task.weights
        size, loss, hits, _ = self.look(task, "test", weights["output/kernel"].values, weights["output/bias"].values)
        return assay_trainer.Evaluated(size, loss, hits / size)

    def look(self, task, split, kernel, bias):
        """Samples, mean loss, hits, and the loss' slopes."""
        x, y, meta = task.samples(split)
        size, features = x.shape
        classes = int(meta["classes"])
        loss = hits = 0
        slopes = {"kernel": dict.fromkeys(range(len(kernel)), 0.0), "bias": dict.fromkeys(range(classes), 0.0)}
        for row in range(size):
            values = x.values[row * features : (row + 1) * features]
            logits = [
                bias[c] + sum(value * kernel[j * classes + c] for j, value in enumerate(values)) for c in range(classes)
            ]
            top = max(logits)
            chances = [math.exp(logit - top) for logit in logits]
            label = y.values[row]
            loss -= math.log(chances[label] / sum(chances)) / size
            hits += logits.index(top) == label
            for c in range(classes):
                slope = (chances[c] / sum(chances) - (c == label)) / size
                slopes["bias"][c] += slope
                for j, value in enumerate(values):
                    slopes["kernel"][j * classes + c] += slope * value
        return size, loss, hits, slopes


assay_trainer.run(Plain())
