"""A Flower ClientApp for tests: logistic regression by full-batch gradient descent, written for Flower alone."""

import numpy
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


def samples():
    generator = numpy.random.default_rng(7)
    y = generator.integers(0, 3, 90)
    x = generator.normal(0, 0.5, (90, 4)).astype("float32")
    x[numpy.arange(90), y] += 2
    return x, y


def loss_of(kernel, bias, x, y):
    logits = x @ kernel + bias
    chances = numpy.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    rows = numpy.arange(len(y))
    return chances, float(-numpy.log(chances[rows, y]).mean()), float((logits.argmax(1) == y).mean())


@app.train()
def train(message: Message, context: Context):
    arrays, config = message.content["arrays"], message.content["config"]
    kernel, bias = arrays["output/kernel"].numpy(), arrays["output/bias"].numpy()
    x, y = samples()
    for _ in range(context.run_config["local-epochs"]):
        chances, loss, accuracy = loss_of(kernel, bias, x, y)
        chances[numpy.arange(len(y)), y] -= 1
        kernel = kernel - config["learningRate"] * (x.T @ chances) / len(y)
        bias = bias - config["learningRate"] * chances.mean(0)
    # What an app keeps: how often it was asked.
    rounds = context.state.get("rounds", ConfigRecord({"n": 0}))["n"] + 1
    context.state["rounds"] = ConfigRecord({"n": rounds})
    print("round", config["server-round"], "asked", rounds, "times")
    as_list = context.run_config.get("as-list", False)
    new = (
        ArrayRecord([bias.astype("float32"), kernel.astype("float32")])
        if as_list
        else ArrayRecord({"output/kernel": Array(kernel.astype("float32")), "output/bias": Array(bias.astype("float32"))})
    )
    numbers = MetricRecord({"num-examples": len(y), "train_loss": loss, "train_accuracy": accuracy})
    return Message(RecordDict({"arrays": new, "metrics": numbers}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context):
    arrays = message.content["arrays"]
    x, y = samples()
    _, loss, accuracy = loss_of(arrays["output/kernel"].numpy(), arrays["output/bias"].numpy(), x, y)
    numbers = MetricRecord({"num-examples": len(y), "eval_loss": loss, "eval_acc": accuracy})
    return Message(RecordDict({"metrics": numbers}), reply_to=message)
