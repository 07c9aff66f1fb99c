"""An example trainer: multi-layer perceptrons in plain numpy, for manifests whose model has the kind `mlp`.

    npx assay trainer check 'python3 client/training/external/python/numpy_trainer.py'

Minibatch SGD with heavy-ball momentum (Polyak 1964) on softmax cross-entropy, as the built-in engine does it; the same
weights and one full batch give the same step up to rounding. FedAvg, Reptile and FedProx; it refuses what it does not know.
"""

import math

import numpy

import assay_trainer


class NumpyMlp(assay_trainer.Trainer):
    name = "numpy MLP"

    def init(self, task):
        random = numpy.random.default_rng(list(task.seed))
        weights = {}
        for tensor in task.manifest["tensors"]:
            shape = tensor["shape"]
            if len(shape) == 2:  # Glorot and Bengio 2010, equation 16
                limit = math.sqrt(6 / (shape[0] + shape[1]))
                weights[tensor["name"]] = random.uniform(-limit, limit, shape)
            else:
                weights[tensor["name"]] = numpy.zeros(shape)
        return weights

    def train(self, task):
        task.require(models=["mlp"], optimizers=["sgd"], algorithms=["fedavg", "reptile", "fedprox"])
        x, y, _ = task.samples("train")
        config = task.config
        size, batch = len(y), config["batchSize"]
        rate, momentum = config["learningRate"], config.get("momentum", 0)
        proximal = config.get("algorithm", {}).get("proximal", 0)
        random = numpy.random.default_rng([*task.seed, task.round])
        weights = {name: value.copy() for name, value in task.weights.items()}
        velocity = {name: numpy.zeros_like(value) for name, value in weights.items()}
        total, epochs = task.steps(size)
        step = 0
        for epoch in range(1, epochs + 1):
            order = random.permutation(size)
            losses = hits = seen = 0
            for start in range(0, size, batch):
                if step == total:
                    break
                rows = order[start : start + batch]
                loss, right, gradients = backward(task.manifest["model"], weights, x[rows], y[rows])
                clip(gradients, config.get("maxGradientNorm"))
                for name, gradient in gradients.items():
                    if proximal:  # FedProx (Li et al. 2020): a pull back to the round's model
                        gradient = gradient + proximal * (weights[name] - task.weights[name])
                    velocity[name] = momentum * velocity[name] + gradient
                    weights[name] -= rate * velocity[name]
                losses, hits, seen, step = losses + loss * len(rows), hits + right, seen + len(rows), step + 1
            task.progress(epoch, epochs, losses / seen, hits / seen)
        return assay_trainer.Trained(weights, size, step, losses / seen, hits / seen)

    def evaluate(self, task):
        x, y, _ = task.samples("test")
        logits, _ = forward(task.manifest["model"], task.weights, x)
        loss, right, _ = cross_entropy(logits, y)
        return assay_trainer.Evaluated(len(y), loss, right / len(y))


def clip(gradients, limit):
    """Scales all gradients down together to an L2 norm of at most `limit` (Pascanu et al. 2013)."""
    if limit is None:
        return
    norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
    if norm > limit:
        for gradient in gradients.values():
            gradient *= limit / norm


def layers(model):
    return ["hidden%d" % (i + 1) for i in range(len(model["hidden"]))] + ["output"]


def forward(model, weights, x):
    """Logits [b, classes], and each layer's input for the way back."""
    inputs = []
    for layer in layers(model):
        inputs.append(x)
        x = x @ weights[layer + "/kernel"] + weights[layer + "/bias"]
        if layer != "output":
            x = ACTIVATIONS[model["activation"]][0](x)
    return x, inputs


def backward(model, weights, x, y):
    """Mean loss of the batch in nats, how many are right, and the gradient of every tensor."""
    logits, inputs = forward(model, weights, x)
    loss, right, signal = cross_entropy(logits, y)
    gradients = {}
    names = layers(model)
    for i in reversed(range(len(names))):
        gradients[names[i] + "/kernel"] = inputs[i].T @ signal
        gradients[names[i] + "/bias"] = signal.sum(axis=0)
        if i > 0:  # inputs[i] is what the activation before it gave
            slope = ACTIVATIONS[model["activation"]][1](inputs[i])
            signal = (signal @ weights[names[i] + "/kernel"].T) * slope
    return loss, right, gradients


def cross_entropy(logits, y):
    """Mean over rows of -log softmax(logits)[label], hits, and the gradient by the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    chances = numpy.exp(shifted)
    sums = chances.sum(axis=1, keepdims=True)
    rows = numpy.arange(len(y))
    loss = float((numpy.log(sums[:, 0]) - shifted[rows, y]).mean())
    gradient = chances / sums
    gradient[rows, y] -= 1
    return loss, int((logits.argmax(axis=1) == y).sum()), (gradient / len(y)).astype(logits.dtype)


# Each with its slope, written in the activation's own value.
ACTIVATIONS = {
    "relu": (lambda x: numpy.maximum(x, 0), lambda value: (value > 0).astype(value.dtype)),
    "tanh": (numpy.tanh, lambda value: 1 - value * value),
    "sigmoid": (lambda x: 1 / (1 + numpy.exp(-x)), lambda value: value * (1 - value)),
}


if __name__ == "__main__":
    assay_trainer.run(NumpyMlp())
